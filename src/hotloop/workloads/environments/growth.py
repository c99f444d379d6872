"""Growing networks as an environment: a controller decides once an epoch what becomes of each."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from hotloop.errors import WorkloadError
from hotloop.option import AtLeast
from hotloop.train.device import checked_device
from hotloop.workloads.growth.gates import GateLimits
from hotloop.workloads.growth.growth_options import ClockOptions, GrowthOptions
from hotloop.workloads.growth.task import load_task
from hotloop.workloads.growth.vector_growth import VectorGrowth


@dataclass(frozen=True, kw_only=True)
class GrowthConfig:
    """`task` by name; an episode is `epochs` epochs of one network, with slots behind its first `num_slots` blocks.

    `max_batches` (0: all) are the batches of an epoch. `blueprints` are names with commas in between (empty: all that
    are registered for the task's host). `improvement` and `contribution` are thresholds of the gates G2 and G5 in
    percentage points. `gamma` is that of the shaping.
    """

    task: str = "digits"
    num_envs: Annotated[int, AtLeast(1)] = 4
    seed: int = 0
    epochs: Annotated[int, AtLeast(2)] = 24
    num_slots: Annotated[int, AtLeast(1)] = 2
    max_batches: Annotated[int, AtLeast(0)] = 0
    blueprints: str = ""
    lr: Annotated[float, AtLeast(1e-12)] = 0.01
    seed_lr: Annotated[float, AtLeast(1e-12)] = 0.01
    reward: Literal["shaped", "sparse"] = "shaped"
    gamma: Annotated[float, AtLeast(0.0)] = 0.995
    improvement: float = 0.5
    contribution: float = 1.0
    blending_epochs: Annotated[int, AtLeast(1)] = 5
    embargo_epochs: Annotated[int, AtLeast(1)] = 5
    compile: Literal["inductor", "aot_eager"] | None = None
    device: str = "cpu"


class GrowthEnvironment(VectorGrowth):
    """`VectorGrowth` from a config. Raises WorkloadError for a task, slots, blueprints or device that there is not."""

    name: ClassVar[str] = "growth"
    Config: ClassVar = GrowthConfig

    def __init__(self, config: GrowthConfig) -> None:
        options = GrowthOptions(
            epochs=config.epochs,
            slots=tuple(range(config.num_slots)),
            lr=float(config.lr),
            seed_lr=float(config.seed_lr),
            max_batches=config.max_batches or None,
            compile=config.compile,
            gates=GateLimits(
                improvement=float(config.improvement),
                contribution=float(config.contribution),
                blending_epochs=min(3, config.blending_epochs),
            ),
            clock=ClockOptions(blending_epochs=config.blending_epochs, embargo_epochs=config.embargo_epochs),
        )
        try:
            device = checked_device(config.device)
        except ValueError as error:
            raise WorkloadError(f"device: {error}") from error
        super().__init__(
            load_task(config.task),
            options,
            num_envs=config.num_envs,
            seed=config.seed,
            reward_kind=config.reward,
            gamma=float(config.gamma),
            blueprints=tuple(filter(None, map(str.strip, config.blueprints.split(",")))),
            device=device,
        )
