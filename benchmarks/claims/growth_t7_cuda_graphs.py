"""Growth options: CUDA graphs through mode="reduce-overhead" for batches of fixed size."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.claims.evidence import Evidence, digits, times
from benchmarks.claims.trial import Claim, Comparison, Judgement, Ruling

SIZE, SAMPLES, BATCH = "step of 8 small layers", 1_000, 128
DEFAULT, REDUCED = "compiled, default", "compiled, reduce-overhead"


class ByShape:
    """`fast` for batches of the usual size, `plain` for any other, as the last one of an epoch."""

    def __init__(self, fast: Callable[[Tensor], Tensor], plain: Callable[[Tensor], Tensor], *, usual: int) -> None:
        self._fast, self._plain, self._usual = fast, plain, usual
        self.num_plain = 0

    def __call__(self, inputs: Tensor) -> Tensor:
        if len(inputs) == self._usual:
            return self._fast(inputs)
        self.num_plain += 1
        return self._plain(inputs)


def comparison() -> Comparison:
    torch.manual_seed(0)
    model = nn.Sequential(*[layer for _ in range(8) for layer in (nn.Linear(64, 64), nn.ReLU())]).cuda()
    inputs = torch.randn(BATCH, 64, device="cuda")

    def step(function: Callable[[Tensor], Tensor]) -> Tensor:
        value = function(inputs).square().mean()
        value.backward()
        model.zero_grad()
        return value.detach().clone()

    compiled, reduced = torch.compile(model), torch.compile(model, mode="reduce-overhead")
    variants = {
        "eager": lambda: step(model),
        DEFAULT: lambda: step(compiled),
        REDUCED: lambda: step(reduced),
    }

    def check(results: Mapping[str, Tensor]) -> None:
        for found in results.values():
            torch.testing.assert_close(found, results["eager"], rtol=1e-3, atol=1e-5)

    return Comparison(variants=variants, check=check)


def shapes(*, drop_last: bool) -> list[int]:
    data = TensorDataset(torch.zeros(SAMPLES, 1))
    return [len(batch[0]) for batch in DataLoader(data, batch_size=BATCH, drop_last=drop_last)]


def counts() -> Mapping[str, float]:
    route = ByShape(torch.sin, torch.sin, usual=BATCH)
    for length in shapes(drop_last=False):
        route(torch.zeros(length))
    return {
        f"batch shapes in an epoch of {SAMPLES:,} by {BATCH}": len(set(shapes(drop_last=False))),
        "batch shapes with drop_last": len(set(shapes(drop_last=True))),
        "batches that must run outside the graph": route.num_plain,
    }


def judge(seen: Evidence) -> Judgement:
    found = seen.count(f"batch shapes in an epoch of {SAMPLES:,} by {BATCH}")
    outside = seen.count("batches that must run outside the graph")
    measured = (
        f"an epoch of {SAMPLES:,} samples has {digits(found)} batch shapes: {digits(outside)} batch must stay eager"
    )
    ruling = Ruling.NO_CUDA
    if seen.has_cuda:
        ratio = seen.ratio(SIZE, REDUCED, over=DEFAULT)
        measured += f"; reduce-overhead over default {times(ratio)}"
        faster = seen.is_faster(SIZE, REDUCED, over=DEFAULT)
        slower_or_even = seen.speed(SIZE, REDUCED, over=DEFAULT).outcome.value == "FAIL"
        ruling = Ruling.HOLDS if faster else Ruling.FAILS if slower_or_even else Ruling.UNCLEAR
    return Judgement(
        ruling=ruling,
        measured=measured,
        why="A CPU has no such graphs, so the gain is not claimed here. The partial last batch has another shape and "
        "must be dropped or run eagerly.",
    )


CLAIM = Claim(
    item="option 2",
    title="CUDA graphs",
    text='For batches of fixed size, mode="reduce-overhead" gives a significant speed-up.',
    figure="significant speed-up",
    judge=judge,
    sizes={SIZE: comparison} if torch.cuda.is_available() else {},
    counts=counts,
    needs_cuda=True,
)
