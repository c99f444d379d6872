"""Whether two observed runs make the same steps on the same samples with the same random numbers."""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from hotloop.worker.observation import LoaderPass, Observation

_OTHER_BATCH = 0.1  # relative difference of the sketches of two inputs: rounding stays below, another batch does not


def differences_in_number(run: Observation, baseline: Observation) -> Iterator[str]:
    """Steps, steps of each optimizer, and backward passes that are more or fewer."""
    if len(run.losses) != len(baseline.losses):
        yield f"it ends after {len(run.losses)} steps in place of {len(baseline.losses)}"
    if len(run.optimizers) != len(baseline.optimizers):
        yield f"it trains with {len(run.optimizers)} optimizers in place of {len(baseline.optimizers)}"
    for index, (ours, theirs) in enumerate(zip(run.optimizers, baseline.optimizers, strict=False)):
        if ours.num_steps != theirs.num_steps and len(run.losses) == len(baseline.losses):
            yield f"optimizer {index} makes {ours.num_steps} steps in place of {theirs.num_steps}"
    yield from _backward_passes(run, baseline)
    if len(run.losses) == len(baseline.losses):
        for event in ("scheduler step", "checkpoint"):
            if (made := run.events.get(event, 0)) != (wanted := baseline.events.get(event, 0)):
                yield f"{event}: {made} times in place of {wanted}"


def _backward_passes(run: Observation, baseline: Observation) -> Iterator[str]:
    for step, (ours, theirs) in enumerate(zip(run.each_loss, baseline.each_loss, strict=False), start=1):
        if len(ours) != len(theirs):
            yield f"step {step} has {len(ours)} backward passes in place of {len(theirs)}"
            return
        if (finite := bool(np.isfinite(ours).all())) != bool(np.isfinite(theirs).all()):
            yield f"the loss of step {step} is {'finite' if finite else 'not finite'}, and the baseline's is not so"
            return


def differences_in_order(
    run: Observation, baseline: Observation, *, loads: bool, calls_roots: bool = True
) -> list[str]:
    """In words, where the program sees other samples or draws other random numbers.

    Captured steps of a script call no roots (not `calls_roots`): then no inputs are compared. Where the plan changes
    loaders (`loads`), workers may draw ahead and draw their own: then only what loaders fetch is compared.
    """
    found = [told for told in (_other_samples(run, baseline),) if told]
    if loads or found:
        return found
    if calls_roots and (step := _first_other_input(run, baseline)) is not None:
        return [f"in step {step} a root module gets other inputs"]
    if (step := _first_other_draw(run, baseline)) is not None:
        return [f"by step {step} the program has drawn other random numbers"]
    return []


def draws_otherwise(run: Observation, baseline: Observation) -> bool:
    """Whether roots get other inputs than in the baseline."""
    return _first_other_input(run, baseline) is not None


def fetches_draw(baseline: Observation) -> bool:
    """Whether a loader may draw random numbers while it fetches samples."""
    return any(one.draws for one in baseline.passes)


def _other_samples(run: Observation, baseline: Observation) -> str | None:
    """In words, where loaders fetch other samples: in number, in order, or no longer in another order each pass."""
    pairs = list(zip(run.passes, baseline.passes, strict=False))
    for number, (ours, theirs) in enumerate(pairs, start=1):
        both = min(len(ours.batches), len(theirs.batches))
        if ours.ended and theirs.ended and len(ours.batches) != len(theirs.batches):
            return f"pass {number} over a loader has {len(ours.batches)} batches in place of {len(theirs.batches)}"
        if [b[0] for b in ours.batches[:both]] != [b[0] for b in theirs.batches[:both]]:
            return f"batches of pass {number} over a loader have other sizes"
        if number == 1 and ours.batches[:both] != theirs.batches[:both]:
            return "pass 1 over a loader fetches its samples in another order"
        if ours.ended and theirs.ended and _samples(ours) != _samples(theirs):
            return f"pass {number} over a loader fetches other samples"
        if both > 1 and _repeats(run, number - 1) != _repeats(baseline, number - 1):
            return f"pass {number} over a loader fetches its samples in the order of an earlier pass"
    return None


def _first_other_input(run: Observation, baseline: Observation) -> int | None:
    """The first step in which a root gets another batch.

    An input that differs a little in the first step already is computed (a generator's output), and left out.
    """
    computed: set[int] = set()
    for step, (ours, theirs) in enumerate(zip(run.inputs, baseline.inputs, strict=False), start=1):
        if len(ours) != len(theirs):
            return step
        for call, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
            gap = _apart(mine, other)
            if gap > _OTHER_BATCH and call not in computed:
                return step
            if step == 1 and gap > 0:
                computed.add(call)
    return None


def _first_other_draw(run: Observation, baseline: Observation) -> int | None:
    """The first step after which the program's random generators stand elsewhere."""
    pairs = zip(run.positions, baseline.positions, strict=False)
    return next((step for step, (ours, theirs) in enumerate(pairs, start=1) if ours != theirs), None)


def _apart(mine: tuple[float, ...], other: tuple[float, ...]) -> float:
    if mine[0] != other[0]:
        return np.inf
    ours, theirs = np.asarray(mine[1:]), np.asarray(other[1:])
    if not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
        return 0.0
    gap = float(np.linalg.norm(ours - theirs))
    return gap / max(float(np.linalg.norm(theirs)), 1e-300) if gap else 0.0


def _samples(one: LoaderPass) -> Counter[int] | int:
    return sum(batch[2] for batch in one.batches)


def _repeats(run: Observation, number: int) -> bool:
    """Whether this pass begins like an earlier one."""
    batches = run.passes[number].batches
    return any(
        earlier.batches[:2] == batches[:2] for earlier in run.passes[:number] if len(batches) > 1 < len(earlier.batches)
    )
