"""Growth table: the dtype of a running sum of losses."""

from collections.abc import Mapping

import torch
from torch import Tensor

from benchmarks.claims.evidence import Evidence, digits, span, times
from benchmarks.claims.trial import Claim, Comparison, Judgement, Ruling
from hotloop.train.metrics import Meter
from hotloop.workload import Loss

LOSS, LONG, SHORT = 2.3, 200_000, 5_000
SIZE, ADDED = "sum of 1,024 losses", 1_024


def drift(count: int, dtype: torch.dtype) -> float:
    """Mean of `count` equal losses after summing them one by one in `dtype`."""
    total, loss = torch.zeros((), dtype=dtype), torch.tensor(LOSS, dtype=dtype)
    for _ in range(count):
        total.add_(loss)
    return float(total) / count


def metered(losses: list[Tensor]) -> float:
    meter = Meter()
    for loss in losses:
        meter.add(Loss(value=loss, count=1))
    return meter.read().report().loss


def default_dtype_mean() -> float:
    """What our meter reports for bf16 losses while bf16 is the default dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        return metered([torch.tensor(2.5)] * SHORT)
    finally:
        torch.set_default_dtype(before)


def comparison() -> Comparison:
    losses = list(torch.rand(ADDED).unbind())

    def summed(dtype: torch.dtype) -> float:
        total = torch.zeros((), dtype=dtype)
        for loss in losses:
            total.add_(loss)
        return float(total) / ADDED

    def check(results: Mapping[str, float]) -> None:
        for found in results.values():
            torch.testing.assert_close(found, results["float64 sum"], rtol=1e-5, atol=0)

    return Comparison(
        variants={
            "float32 sum": lambda: summed(torch.float32),
            "float64 sum": lambda: summed(torch.float64),
            "hotloop's Meter": lambda: metered(losses),
        },
        check=check,
    )


def counts() -> Mapping[str, float]:
    return {
        f"mean of {LONG:,} losses of {LOSS}, float32": round(drift(LONG, torch.float32), 5),
        f"mean of {SHORT:,} losses of {LOSS}, bf16": round(drift(SHORT, torch.bfloat16), 4),
        f"mean of {LONG:,} losses of {LOSS}, float64": round(drift(LONG, torch.float64), 9),
        f"our mean of {SHORT:,} bf16 losses of 2.5 with bf16 as default": default_dtype_mean(),
    }


def judge(seen: Evidence) -> Judgement:
    single = seen.count(f"mean of {LONG:,} losses of {LOSS}, float32")
    half = seen.count(f"mean of {SHORT:,} losses of {LOSS}, bf16")
    error = 100 * abs(single / LOSS - 1)
    added = seen.seconds(SIZE, "float64 sum").ratio - seen.seconds(SIZE, "float32 sum").ratio
    return Judgement(
        ruling=Ruling.FAILS if error > 0.1 or abs(half / LOSS - 1) > 0.01 else Ruling.HOLDS,
        measured=f"float32 is off by {digits(error)} % after {LONG:,} losses of {LOSS}; bf16 as default dtype reports "
        f"{digits(half)} after {SHORT:,}. A float64 sum: {times(seen.ratio(SIZE, 'float64 sum'))}, the Meter "
        f"{times(seen.ratio(SIZE, METER))}",
        why="It does not overflow: float32 rounds, and bf16 stops adding. float64 costs "
        f"{span(max(added, 0.0) / ADDED)} a loss and does not depend on the default dtype.",
    )


METER = "hotloop's Meter"

CLAIM = Claim(
    item="table 5",
    title="overflow in accumulation",
    text="The risk in accumulating losses is low, as torch.zeros is float32 by default.",
    figure="low risk",
    judge=judge,
    sizes={SIZE: comparison},
    counts=counts,
)
