"""One training step of a recipe, recorded whole: loss, gradients, weights, buffers and optimizer state in float64."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hotloop.train.loop import train
from hotloop.verify.dropout import ModuleMode, modes
from hotloop.verify.fresh_job import Build, Prepare, fresh_job
from hotloop.verify.job_state import JobState, TensorsByName, copies
from hotloop.verify.recast import RecastBatches
from hotloop.verify.torch_settings import preserved_settings
from hotloop.worker.noise import add_weight_noise
from hotloop.workload import Job


@dataclass(frozen=True, kw_only=True)
class RecordedStep:
    """What one step left behind, by parameter name, on the CPU in float64.

    `updates`, `buffers` and `state` (the optimizer's, named "parameter.key") are changes: after less before.
    `gradients` are those that the optimizer met; empty where the job's own step function keeps them to itself.
    `epsilon` is that of the coarsest dtype among the weights.
    """

    loss: float
    gradients: TensorsByName
    weights: TensorsByName
    updates: TensorsByName
    buffers: TensorsByName
    state: TensorsByName
    modes: Mapping[str, ModuleMode]
    epsilon: float


def find_start_state(build: Build) -> JobState:
    """Where every recorded step starts: the state of an eager job after its first step, dropout off."""
    with preserved_settings():
        job = fresh_job(build)
        _take_first_step(job)
        return JobState.of(job)


def record_step(
    build: Build,
    *,
    prepare: Prepare | None = None,
    dtype: torch.dtype | None = None,
    noise: float = 0.0,
    noise_seed: int = 0,
    rng_seed: int = 0,
    start_state: JobState | None = None,
) -> RecordedStep:
    """The second step of a fresh job on its first batch, from `start_state`, under the changes that `prepare` makes.

    The second, because the first step of a captured job may be eager: optimizer state has to exist. `dtype` recasts
    model and batches (float64 gives the reference); `noise` multiplies each weight by 1 + noise times a standard
    normal. Dropout is off, batch-norm stays in train mode. Whatever the step raises is raised.
    """
    start_state = start_state or find_start_state(build)
    losses: list[Tensor] = []
    gradients: dict[str, Tensor] = {}
    with preserved_settings():
        job = fresh_job(build, prepare=prepare, dtype=dtype)
        _take_first_step(job)
        start_state.restore(job)
        if isinstance(job.batches, RecastBatches):
            start_state.restore(job.batches.job)
        add_weight_noise(job.model, noise, noise_seed, dtype=torch.float64)
        before = JobState.of(job)

        def keep_gradients(*_: object) -> None:
            gradients.update(copies((name, w.grad) for name, w in job.model.named_parameters() if w.grad is not None))

        if job.step is None:  # a captured step would not call the hook, or refuse to run with one
            job.optimizer.register_step_pre_hook(keep_gradients)
        torch.manual_seed(rng_seed)
        train(job, steps=1, on_step=losses.append)
        after = JobState.of(job)
        changes = after.changes_since(before)
        return RecordedStep(
            loss=float(losses[0]),
            gradients=gradients,
            weights=after.weights,
            updates=changes.weights,
            buffers=changes.buffers,
            state=changes.optimizer,
            modes=modes(job.model),
            epsilon=_epsilon(job.model),
        )


def losses_of_seeds(build: Build, *, prepare: Prepare | None, start_state: JobState) -> tuple[float, float]:
    """The loss of the same step with dropout active under two random seeds."""
    losses: list[Tensor] = []
    with preserved_settings():
        job = fresh_job(build, prepare=prepare, silent=False)
        _take_first_step(job)
        for seed in (1, 2):
            start_state.restore(job)
            torch.manual_seed(seed)
            train(job, steps=1, on_step=losses.append)
    return float(losses[0]), float(losses[1])


def _take_first_step(job: Job) -> None:
    torch.manual_seed(0)
    train(job, steps=1)


def _epsilon(model: nn.Module) -> float:
    kinds = {weight.dtype for weight in model.parameters() if weight.is_floating_point()}
    return max((torch.finfo(kind).eps for kind in kinds), default=torch.finfo(torch.float32).eps)
