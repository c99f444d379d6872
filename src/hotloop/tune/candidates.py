"""Which changes are worth trying on this machine, in which order, and why the others are not."""

from collections.abc import Sequence
from dataclasses import dataclass

from hotloop import registry
from hotloop.compare.comparison import MARGIN
from hotloop.errors import PlanError
from hotloop.measurement import Environment
from hotloop.proof.amdahl import AmdahlLimits
from hotloop.transform import Stage, Transform, compiles
from hotloop.workload import Recipe, Workload

# Expected gain first (geometric means over ten models on the CPU); an unknown transform comes after these.
_EXPECTED = (
    "allocator",
    "autocast",
    "fused_optimizer",
    "channels_last",
    "math_attention",
    "matmul_precision",
    "threads",
    "data_loading",
)


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """Tiers, screened one after another: how the process starts, cheap changes, those that compile, and their variants.

    `variants` are further option sets of what compiles (autotuning): they cost most and may take a kept one's place.
    """

    launch: tuple[Transform, ...]
    cheap: tuple[Transform, ...]
    compiling: tuple[Transform, ...]
    variants: tuple[Transform, ...] = ()


def find_candidates(
    environment: Environment,
    workload: Workload,
    *,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    limits: AmdahlLimits | None = None,
) -> Candidates:
    """All option sets that registered transforms offer here, less those not asked for.

    In each tier those come first that could win most by the diagnosis, then those without a limit in the order of their
    expected gain, and last those that by the diagnosis could not win enough for a claim.
    Raises PlanError for a name in `only` or `skip` that nothing is registered under.
    """
    known = check_names((*only, *skip))
    wanted = [name for name in known if (not only or name in only) and name not in skip]
    chosen = sorted(wanted, key=lambda name: _rank(name, limits or AmdahlLimits()))
    offered = [c for name in chosen for c in registry.load("transforms", name).candidates(environment)]
    elsewhere = Stage.PROGRAM if isinstance(workload, Recipe) else Stage.STEP
    possible = [c for c in offered if c.stage is not elsewhere]
    compiling = [c for c in possible if compiles(c)]
    first = {c.name: c for c in reversed(compiling)}
    return Candidates(
        launch=tuple(c for c in possible if c.stage is Stage.LAUNCH),
        cheap=tuple(c for c in possible if c.stage is not Stage.LAUNCH and not compiles(c)),
        compiling=tuple(c for c in compiling if c is first[c.name]),
        variants=tuple(c for c in compiling if c is not first[c.name]),
    )


def check_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names of all registered transforms. Raises PlanError for one of `names` that nothing is registered under."""
    known = registry.names("transforms")
    for name in names:
        if name not in known:
            raise PlanError(f"no transform is named {name!r}; known are: {', '.join(known)}")
    return known


def _rank(name: str, limits: AmdahlLimits) -> tuple[float, int, str]:
    limit = limits.of((name,)) or 0.0
    is_hopeless = 0.0 < limit < 1 + MARGIN
    return (1.0 if is_hopeless else -limit, _EXPECTED.index(name) if name in _EXPECTED else len(_EXPECTED), name)
