"""What no rounding explains between two observed runs: other settings, lost steps, tensors that stand still."""

import math
from collections.abc import Collection, Iterator, Sequence

import numpy as np

from hotloop.verify.clipping import differences_in_limits
from hotloop.verify.distance import steps_both_made
from hotloop.verify.order import differences_in_number
from hotloop.verify.saved import differences_in_kind_of_saves
from hotloop.worker.observation import Number, Observation, OptimizerSteps, Rows

_LOST = 0.02  # share of the elements that may stand still though the baseline moves them
_EQUAL = 1e-6  # a learning rate may be kept in an fp32 tensor
_OTHERS_TOLD = 2


def differences_in_kind(
    run: Observation, baseline: Observation, *, declared: Collection[str] = (), is_paired: bool = True
) -> Iterator[str]:
    """Other numbers of steps, other settings than those `declared`, missing gradients, tensors that stand still.

    Runs that are not paired see other samples, which then is no difference.
    """
    yield from differences_in_number(run, baseline)
    yield from differences_in_limits(run, baseline)
    yield from differences_in_settings(run, baseline, declared=declared)
    yield from differences_in_what_trains(run, baseline, is_paired=is_paired)
    yield from differences_in_kind_of_saves(run, baseline)


def differences_in_what_trains(run: Observation, baseline: Observation, *, is_paired: bool = True) -> Iterator[str]:
    """Parameters without a gradient, and parameters and statistics that stand still where they moved."""
    for ours, theirs in zip(run.optimizers, baseline.optimizers, strict=False):
        yield from _trained(ours, theirs, is_paired=is_paired)
    if run.buffer_names == baseline.buffer_names:
        what = "buffer (a batch-norm statistic)"
        yield from _still(what, run.buffer_names, run.buffers, baseline.buffers, baseline.buffer_steps)


def differences_in_settings(
    run: Observation, baseline: Observation, *, declared: Collection[str] = ()
) -> Iterator[str]:
    """The first step at which each setting is another; a module that the run no longer has is left out."""
    steps = min(len(run.losses), len(baseline.losses))
    found = [
        _told(owner, name, *gap)
        for (owner, name), theirs in baseline.settings.items()
        if name not in declared and (gap := _first_gap(run.settings.get((owner, name)), theirs, owner, steps))
    ]
    yield from found[:_OTHERS_TOLD]
    if len(found) > _OTHERS_TOLD:
        yield f"{len(found) - _OTHERS_TOLD} more settings differ"


Changes = tuple[tuple[int, Number], ...]


def _first_gap(ours: Changes | None, theirs: Changes, owner: str, steps: int) -> tuple[int, Number, Number] | None:
    if ours is None:
        return None if not owner.startswith("optimizer") else (theirs[0][0], float("nan"), theirs[0][1])
    for step in sorted({step for step, _ in (*ours, *theirs) if step <= steps}):
        if step < max(ours[0][0], theirs[0][0]):
            continue
        mine, other = _value_at(ours, step), _value_at(theirs, step)
        if not _are_equal(mine, other):
            return step, mine, other
    return None


def _value_at(changes: Changes, step: int) -> Number:
    return next((value for since, value in reversed(changes) if since <= step), changes[0][1])


def _are_equal(mine: Number, other: Number) -> bool:
    if mine is None or other is None:
        return mine is other
    return mine == other or abs(mine - other) <= _EQUAL * abs(other) or (math.isnan(mine) and math.isnan(other))


def _told(owner: str, name: str, step: int, mine: Number, other: Number) -> str:
    if owner.startswith("module") and name == "training":
        return f"{owner} runs in {'training' if mine else 'evaluation'} mode"
    values = f"{_text(mine)} in place of {_text(other)}"
    if owner.startswith("module") and name == "p":
        return f"{owner} drops out {values}"
    return f"{name} of {owner} is {values} in step {step}"


def _text(value: Number) -> str:
    return "None" if value is None else f"{value:.7g}"


def _trained(run: OptimizerSteps, baseline: OptimizerSteps, *, is_paired: bool) -> Iterator[str]:
    if len(run.names) != len(baseline.names):
        yield f"it trains {len(run.names)} parameters in place of {len(baseline.names)}"
        return
    if steps_both_made(run, baseline) and max(run.gradients[0], default=0.0) >= 0:  # a captured step shows none
        for name, ours, theirs in zip(baseline.names, run.gradients[0], baseline.gradients[0], strict=True):
            if ours < 0 <= theirs:
                yield f"parameter {name} gets no gradient"
            elif ours == 0 < theirs:
                yield f"parameter {name} gets a gradient of zero"
    yield from _lost(run, baseline)
    yield from _still("parameter", baseline.names, run.updates, baseline.updates, baseline.recorded)
    if is_paired:
        yield from _not_finite(run, baseline)


def _still(what: str, names: Sequence[str], ours: Rows, theirs: Rows, recorded: Sequence[int]) -> Iterator[str]:
    """Those that do not move in a step in which they clearly move in the baseline; `recorded` are the rows' steps."""
    steps = min(len(ours), len(theirs))
    if not names or not steps:
        return
    moved, baseline = (np.asarray(rows, dtype=np.float64) for rows in (ours, theirs))
    clear = baseline[:steps] > 1e-3 * baseline[:steps].max(axis=0, keepdims=True)
    stuck = clear & (baseline[:steps] > 0) & (moved[:steps] == 0)
    for index in map(int, np.flatnonzero(stuck.any(axis=0))):
        row = int(np.flatnonzero(stuck[:, index])[0])
        step = recorded[row] if recorded else row + 1
        yield f"{what} {names[index]} does not move in step {step} ({int(stuck[:, index].sum())} of {steps} steps)"


def _lost(run: OptimizerSteps, baseline: OptimizerSteps) -> Iterator[str]:
    """Updates below one unit in the last place of a parameter's type change nothing: what pure bf16 does."""
    steps = min(len(run.moved), len(baseline.moved))
    ours, theirs = (sum(r.moved[:steps]) / max(steps, 1) for r in (run, baseline))
    if ours < theirs - _LOST:
        yield f"{ours:.1%} of the weights move in a step in place of {theirs:.1%}: small updates are lost"


def _not_finite(run: OptimizerSteps, baseline: OptimizerSteps) -> Iterator[str]:
    """Updates that are finite in only one of them."""
    steps = steps_both_made(run, baseline)
    finite = [[math.isfinite(math.fsum(row)) for row in r.updates[:steps]] for r in (run, baseline)]
    numbers = baseline.recorded[:steps] or range(1, steps + 1)
    for step, ours, theirs in zip(numbers, *finite, strict=True):
        if ours != theirs:
            yield f"an update of step {step} is {'finite' if ours else 'not finite'}, and the baseline's is not so"
            return
