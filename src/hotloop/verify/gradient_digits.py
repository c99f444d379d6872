"""Finds gradients that were rounded to 16 bits by a plan that says it rounds no more than fp32 does."""

from collections.abc import Iterator

from hotloop.worker.observation import Observation

_ALL, _FEW = 0.99, 0.5


def differences_in_digits(run: Observation, baseline: Observation) -> Iterator[str]:
    """The first gradient of each optimizer that bf16 or fp16 could hold, where they could not hold the baseline's.

    On a program that amplifies rounding the size of such an error may hide in its noise; its digits do not.
    """
    for ours, theirs in zip(run.optimizers, baseline.optimizers, strict=False):
        found = (
            f"the gradient of {name} in step {step} has no more digits than 16 bits hold"
            for step in sorted(ours.short.keys() & theirs.short.keys())
            for name, mine, other in zip(theirs.names, ours.short[step], theirs.short[step], strict=False)
            if mine > _ALL and other < _FEW
        )
        yield from list(found)[:1]
