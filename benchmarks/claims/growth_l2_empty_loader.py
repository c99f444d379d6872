"""Growth L2 and the table's division rows: an empty loader divided by max(1, n)."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from benchmarks.claims.evidence import Evidence, digits
from benchmarks.claims.growth_l1_swallowed_failure import raised
from benchmarks.claims.trial import Claim, Judgement, Ruling
from hotloop.errors import WorkloadError
from hotloop.train.loop import train
from hotloop.train.strategies.supervised import Supervised
from hotloop.workload import Job


def clamped_mean(losses: list[Tensor]) -> float:
    """What the reviewed loop reports: the sum over max(1, n)."""
    total = torch.zeros(())
    for loss in losses:
        total += loss
    return float(total) / max(1, len(losses))


def job(batches: list[tuple[Tensor, Tensor]]) -> Job:
    model = nn.Linear(4, 1)
    return Job(
        model=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.01),
        batches=batches,
        strategy=Supervised(criterion=nn.functional.mse_loss),
    )


def counts() -> Mapping[str, float]:
    one = [(torch.ones(2, 4), torch.ones(2, 1))]
    return {
        "loss of an empty loader over max(1, n)": clamped_mean([]),
        "our loop raises on an empty loader": int(raised(lambda: train(job([]), epochs=1)) is WorkloadError),
        "our loop raises on a limit of 0 steps": int(raised(lambda: train(job(one), steps=0)) is ValueError),
    }


def judge(seen: Evidence) -> Judgement:
    silent = seen.count("loss of an empty loader over max(1, n)")
    hides = math.isfinite(silent)
    return Judgement(
        ruling=Ruling.HOLDS if hides else Ruling.FAILS,
        measured=f"an empty loader reports a perfect loss of {digits(silent)}; our loop raises on it "
        f"({digits(seen.count('our loop raises on an empty loader'))} of 1) and on a limit of no steps "
        f"({digits(seen.count('our loop raises on a limit of 0 steps'))} of 1)",
        why="max(1, n) turns a missing data set into the best loss ever seen, which the table of the same review calls "
        "handled. It should raise.",
    )


CLAIM = Claim(
    item="L2",
    title="max(1, n) and the empty loader",
    text="Dividing by max(1, n) hides an empty loader, which is almost surely a bug; raise instead.",
    figure="defensive code that hides bugs",
    judge=judge,
    counts=counts,
)
