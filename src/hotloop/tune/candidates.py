"""Which changes are worth trying on this machine, in which order, and why the others are not."""

from collections.abc import Sequence
from dataclasses import dataclass

from hotloop import registry
from hotloop.compare.comparison import MARGIN
from hotloop.diagnose.program_kind import MEMORY, OVERHEAD
from hotloop.errors import PlanError
from hotloop.measurement import Environment
from hotloop.objective import Objective
from hotloop.proof.amdahl import AmdahlLimits
from hotloop.transform import Promise, Stage, Transform, compiles, saves_memory
from hotloop.workload import Recipe, Script, Workload

_SMALL_LIMIT = 1.5  # what allocators, bf16 and channels_last, which have no limit, often win

# Expected gain first (geometric means over ten models on the CPU); an unknown transform comes after these.
_EXPECTED = (
    "allocator",
    "cached_samples",
    "resident_data",
    "batched_fetch",
    "autocast",
    "fused_optimizer",
    "channels_last",
    "math_attention",
    "matmul_precision",
    "threads",
    "data_loading",
    "prefetch_thread",
    "ddp_settings",
    "comm_hook",
)
_EXPECTED_TO_SAVE = ("checkpointing", "gradient_accumulation", "autocast", "allocator", "fused_optimizer")
_FIRST_WITH_BF16 = ("autocast", "channels_last")  # together 2.5 times on a small conv net with AMX


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """Tiers, screened one after another: what compiles nothing, what compiles, and its variants.

    `variants` are further option sets of what compiles (autotuning): they cost most and may take a kept one's place.
    `bounded` are the names of those that by the diagnosis could not win enough for a claim, and are left out.
    `statistical` are those that train otherwise by design, which are tried where they are asked for by name alone.
    With `compiles_first` what compiles is worth more than measuring the rejected again: most of a step goes to memory
    traffic or to calls, which compilation saves, and not to arithmetic, which it leaves as it is.
    """

    uncompiled: tuple[Transform, ...]
    compiling: tuple[Transform, ...]
    variants: tuple[Transform, ...] = ()
    bounded: tuple[str, ...] = ()
    statistical: tuple[Transform, ...] = ()
    compiles_first: bool = False


def find_candidates(
    environment: Environment,
    workload: Workload,
    *,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    limits: AmdahlLimits | None = None,
    objective: Objective = Objective.THROUGHPUT,
) -> Candidates:
    """All option sets that registered transforms offer here, less those not asked for.

    What saves memory and costs time is there where the objective counts memory, or `only` names it. The limits are of
    time, so that with such an objective nothing is left out for them.

    In each tier those come first that could win most by the diagnosis, then those without a limit in the order of their
    expected gain, and then those that by the diagnosis can win little. What could not win enough for a claim is left
    out, unless it is in `only`.
    Raises PlanError for a name in `only` or `skip` that nothing is registered under, and for one in `only` that the
    objective cannot judge.
    """
    known = check_names((*only, *skip))
    wanted = [name for name in known if (not only or name in only) and name not in skip]
    limits = (limits if not objective.counts_memory else None) or AmdahlLimits()
    bounded = tuple(name for name in wanted if name not in only and 0.0 < (limits.of((name,)) or 0.0) < 1 + MARGIN)
    expected = _expected_order(environment, objective)
    chosen = sorted((name for name in wanted if name not in bounded), key=lambda name: _rank(name, limits, expected))
    offered = [c for name in chosen for c in registry.load("transforms", name).candidates(environment)]
    possible = [c for c in offered if _fits(c, workload) and _is_asked_for(c, only, objective)]
    comparable = [c for c in possible if c.promise is not Promise.STATISTICAL]
    compiling = [c for c in comparable if compiles(c)]
    first = {c.name: c for c in reversed(compiling)}
    return Candidates(
        uncompiled=tuple(c for c in comparable if not compiles(c)),
        compiling=tuple(c for c in compiling if c is first[c.name]),
        variants=tuple(c for c in compiling if c is not first[c.name]),
        bounded=bounded,
        statistical=tuple(c for c in possible if c.promise is Promise.STATISTICAL),
        compiles_first=limits.kind in (MEMORY, OVERHEAD),
    )


def _is_asked_for(change: Transform, only: Sequence[str], objective: Objective) -> bool:
    """Whether it can win what the objective counts; what wins something else is tried where it is named.

    Raises PlanError where it is named and trains otherwise by design, which no figure of memory can judge.
    """
    if change.promise is Promise.STATISTICAL:
        if change.name in only and objective.counts_memory:
            raise PlanError(
                f"{change.name!r} trains otherwise by design and is judged by the time to a target loss, which says "
                f"nothing of memory; leave it out, or take --objective throughput in place of {objective.value}"
            )
        return change.name in only
    return not saves_memory(change) or objective.counts_memory or (change.name in only and not compiles(change))


def _expected_order(environment: Environment, objective: Objective) -> list[str]:
    by_speed: list[str] = [*(_FIRST_WITH_BF16 if environment.has_bf16 else ()), *_EXPECTED]
    return [*_EXPECTED_TO_SAVE, *by_speed] if objective.counts_memory else by_speed


def _fits(change: Transform, workload: Workload) -> bool:
    """Whether a workload of this kind has sites of the stage: a whole step, a script's source, or several ranks."""
    if change.stage in (Stage.STEP, Stage.PROGRAM):
        return isinstance(workload, Recipe) is (change.stage is Stage.STEP)
    return change.stage is not Stage.DDP or (isinstance(workload, Script) and workload.num_ranks > 1)


def check_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names of all registered transforms. Raises PlanError for one of `names` that nothing is registered under."""
    known = registry.names("transforms")
    for name in names:
        if name not in known:
            raise PlanError(f"no transform is named {name!r}; known are: {', '.join(known)}")
    return known


def _rank(name: str, limits: AmdahlLimits, expected: Sequence[str]) -> tuple[bool, float, int, str]:
    limit = limits.of((name,)) or 0.0
    place = expected.index(name) if name in expected else len(expected)
    return (0.0 < limit < _SMALL_LIMIT, -limit, place, name)
