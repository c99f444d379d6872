"""Which changes are worth trying on this machine, in which order, and why the others are not."""

from collections.abc import Sequence
from dataclasses import dataclass

from hotloop import registry
from hotloop.errors import PlanError
from hotloop.measurement import Environment
from hotloop.transform import Stage, Transform
from hotloop.workload import Recipe, Workload

# Expected gain first (geometric means of a ten-model survey on the CPU); an unknown transform comes after these.
_EXPECTED = ("allocator", "autocast", "fused_optimizer", "channels_last", "matmul_precision", "threads", "data_loading")
_COMPILING = ("compile", "whole_step")


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """Three tiers, raced one after another: how the process starts, cheap changes, and those that compile."""

    launch: tuple[Transform, ...]
    cheap: tuple[Transform, ...]
    compiling: tuple[Transform, ...]


def find_candidates(
    environment: Environment, workload: Workload, *, only: Sequence[str] = (), skip: Sequence[str] = ()
) -> Candidates:
    """All option sets that registered transforms offer here, less those not asked for.

    Raises PlanError for a name in `only` or `skip` that nothing is registered under.
    """
    known = registry.names("transforms")
    for name in (*only, *skip):
        if name not in known:
            raise PlanError(f"no transform is named {name!r}; known are: {', '.join(known)}")
    chosen = [name for name in sorted(known, key=_rank) if (not only or name in only) and name not in skip]
    offered = [c for name in chosen for c in registry.load("transforms", name).candidates(environment)]
    possible = [c for c in offered if c.stage is not Stage.STEP or isinstance(workload, Recipe)]
    return Candidates(
        launch=tuple(c for c in possible if c.stage is Stage.LAUNCH),
        cheap=tuple(c for c in possible if c.stage is not Stage.LAUNCH and c.name not in _COMPILING),
        compiling=tuple(c for c in possible if c.name in _COMPILING),
    )


def _rank(name: str) -> tuple[int, str]:
    return (_EXPECTED.index(name) if name in _EXPECTED else len(_EXPECTED), name)
