"""Growth table: what one batch with a NaN loss does to the report of an epoch."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from benchmarks.claims.evidence import Evidence, digits
from benchmarks.claims.trial import Claim, Judgement, Ruling
from hotloop.train.metrics import Meter, MetricsReport
from hotloop.workload import Loss

BATCHES = 100


def losses(bad: int = 7) -> list[Tensor]:
    return [torch.tensor(math.nan if number == bad else 2.0) for number in range(BATCHES)]


def summed() -> float:
    """What the reviewed loop reports."""
    total = torch.zeros(())
    for loss in losses():
        total.add_(loss)
    return float(total) / BATCHES


def metered() -> MetricsReport:
    meter = Meter()
    for loss in losses():
        meter.add(Loss(value=loss, count=1))
    return meter.read().report()


def counts() -> Mapping[str, float]:
    report = metered()
    return {
        "epoch loss is NaN after one NaN batch of 100": int(math.isnan(summed())),
        "our report: loss": round(report.loss, 6),
        "our report: batches left out and counted": report.num_nonfinite,
    }


def judge(seen: Evidence) -> Judgement:
    spoilt = seen.count("epoch loss is NaN after one NaN batch of 100")
    return Judgement(
        ruling=Ruling.FAILS if spoilt else Ruling.HOLDS,
        measured=f"one NaN batch of {BATCHES} makes the epoch's loss {'NaN' if spoilt else 'finite'}; our report gives "
        f"{digits(seen.count('our report: loss'))} and {digits(seen.count('our report: batches left out and counted'))}"
        " batch left out",
        why="The risk is not in the gradients' code but in the sum: one bad batch hides all others. Count what is not "
        "finite beside the sum.",
    )


CLAIM = Claim(
    item="table 4",
    title="NaN propagation",
    text="The risk of NaN propagation is low, as there are no custom gradients.",
    figure="low risk",
    judge=judge,
    counts=counts,
)
