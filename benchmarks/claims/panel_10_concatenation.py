"""Panel item 10: collecting pieces into one tensor, and losses that loop over quantiles and days."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from benchmarks.claims.evidence import Evidence, digits, times
from benchmarks.claims.grouped_losses import looped, pinball_at_once, pinball_looped, segmented
from benchmarks.claims.spies import Spy
from benchmarks.claims.trial import Claim, Comparison, Judgement, Ruling

FOUND, PREALLOCATED, GROWN = "append, one cat at the end", "preallocated", "cat in the loop"
PIECES = {
    "100 pieces of 512": (100, 512),
    "1,000 pieces of 512": (1_000, 512),
    "4,000 pieces of 512": (4_000, 512),
    "32 pieces of 500,000": (32, 500_000),
}
BIG = "32 pieces of 500,000"
PINBALL, QUANTILES, SAMPLES = "pinball, 4,096 x 5", (0.05, 0.25, 0.5, 0.75, 0.95), 4_096
DAYS = (8, 32, 96)


def appended(pieces: list[Tensor]) -> Tensor:
    """What the code does: a list, and one concatenation."""
    kept = []
    for piece in pieces:
        kept.append(piece)  # the loop is what is tried
    return torch.cat(kept)


def preallocated(pieces: list[Tensor]) -> Tensor:
    """What the claim proposes."""
    length = len(pieces[0])
    out = torch.empty(len(pieces) * length)
    for number, piece in enumerate(pieces):
        out[number * length : (number + 1) * length] = piece
    return out


def grown(pieces: list[Tensor]) -> Tensor:
    """What the claim warns of, and the code does not do."""
    out = torch.empty(0)
    for piece in pieces:
        out = torch.cat([out, piece])
    return out


def same(results: Mapping[str, Tensor]) -> None:
    for found in results.values():
        torch.testing.assert_close(found, results[FOUND], rtol=0, atol=0)


def collecting(count: int, length: int) -> Comparison:
    pieces = [torch.randn(length) for _ in range(count)]
    ways: dict[str, Callable[[list[Tensor]], Tensor]] = {FOUND: appended, PREALLOCATED: preallocated}
    if length < 10_000:  # growing by large pieces takes minutes and shows nothing new
        ways[GROWN] = grown
    return Comparison(variants={name: (lambda way=way: way(pieces)) for name, way in ways.items()}, check=same)


def with_gradient(function: Callable[..., Tensor], prediction: Tensor, *rest: object) -> tuple[Tensor, Tensor]:
    """Values of the losses, and the gradient of their sum with respect to the prediction."""
    leaf = prediction.detach().requires_grad_()
    values = function(leaf, *rest)
    values.sum().backward()
    return values.detach(), leaf.grad


def close(results: Mapping[str, tuple[Tensor, Tensor]]) -> None:
    first, *others = results.values()
    for found in others:
        torch.testing.assert_close(found, first, rtol=2e-4, atol=1e-6)


def pinball() -> Comparison:
    prediction_NQ, target_N, quantile_Q = torch.randn(SAMPLES, 5), torch.randn(SAMPLES), torch.tensor(QUANTILES)
    return Comparison(
        variants={
            "loop over quantiles": lambda: with_gradient(pinball_looped, prediction_NQ, target_N, QUANTILES),
            "all at once": lambda: with_gradient(pinball_at_once, prediction_NQ, target_N, quantile_Q),
        },
        check=close,
    )


def day_batch(num_days: int) -> tuple[Tensor, Tensor, Tensor]:
    """Predictions, targets and days of 4,096 samples; days of uneven sizes, the first of one sample."""
    generator = torch.Generator().manual_seed(num_days)
    day_N = torch.cat([torch.arange(num_days), torch.randint(1, num_days, (SAMPLES - num_days,), generator=generator)])
    return torch.randn(SAMPLES, generator=generator), torch.randn(SAMPLES, generator=generator), day_N


def by_day(num_days: int) -> Comparison:
    prediction_N, target_N, day_N = day_batch(num_days)
    return Comparison(
        variants={
            "loop over days": lambda: with_gradient(looped, prediction_N, target_N, day_N),
            "segment sums": lambda: with_gradient(segmented, prediction_N, target_N, day_N, num_days),
        },
        check=close,
    )


def size(num_days: int) -> str:
    return f"4 losses by day, {num_days} days"


def counts() -> Mapping[str, float]:
    found = {}
    prediction_N, target_N, day_N = day_batch(DAYS[-1])
    with Spy() as spy:
        looped(prediction_N, target_N, day_N)
    found[f"host reads of 4 losses, loop over {DAYS[-1]} days"] = spy.reads
    with Spy() as spy:
        segmented(prediction_N, target_N, day_N, DAYS[-1])
    found["host reads of 4 losses, segment sums"] = spy.reads
    return found


def judge(seen: Evidence) -> Judgement:
    small = ("100 pieces of 512", "1,000 pieces of 512")
    gains = {name: seen.ratio(name, PREALLOCATED) for name in PIECES}
    if all(seen.is_faster(name, PREALLOCATED) for name in small):
        ruling = Ruling.HOLDS
    elif all(seen.is_slower(name, PREALLOCATED) for name in small):
        ruling = Ruling.FAILS
    else:
        ruling = Ruling.UNCLEAR
    growing = ", ".join(
        f"{digits(1 / seen.ratio(name, GROWN).ratio)}x at {name.split()[0]}" for name in PIECES if name != BIG
    )
    losses = ", ".join(f"{days}: {times(seen.ratio(size(days), 'segment sums'))}" for days in DAYS)
    reads = [seen.count(f"host reads of 4 losses, {how}") for how in (f"loop over {DAYS[-1]} days", "segment sums")]
    return Judgement(
        ruling=ruling,
        measured=f"preallocating: {times(gains[small[0]])} at 100 pieces, {times(gains[small[1]])} at 1,000, "
        f"{times(gains[BIG])} for large pieces. Pinball at once: {times(seen.ratio(PINBALL, 'all at once'))}. "
        f"Segment sums over loops, by days: {losses}",
        why=f"The code appends and concatenates once, which copies each piece once, as preallocating does, but "
        f"without a slice assignment for each. Growing in the loop is what costs: "
        f"{growing} slower. And the loops over days make {digits(reads[0])} host reads where segment sums make "
        f"{digits(reads[1])}.",
    )


CLAIM = Claim(
    item="10",
    title="torch.cat",
    text="Concatenating collected batches is slow; preallocate the result.",
    figure="5-10 % of validation, in 50 and more places",
    judge=judge,
    sizes={
        **{name: (lambda shape=shape: collecting(*shape)) for name, shape in PIECES.items()},
        PINBALL: pinball,
        **{size(days): (lambda days=days: by_day(days)) for days in DAYS},
    },
    counts=counts,
)
