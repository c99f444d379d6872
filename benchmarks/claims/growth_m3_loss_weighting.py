"""Growth M3: the mean of batch means when batches are uneven."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from benchmarks.claims.evidence import Evidence, digits
from benchmarks.claims.trial import Claim, Judgement, Ruling
from hotloop.train.metrics import Meter
from hotloop.workload import Loss

IGNORED = -100


def mean_of_means(losses: Sequence[Loss]) -> float:
    """What the reviewed loop reports."""
    return float(torch.stack([loss.value for loss in losses]).mean())


def weighted_mean(losses: Sequence[Loss]) -> float:
    """What this project's loop reports: batches weigh what they hold."""
    meter = Meter()
    for loss in losses:
        meter.add(loss)
    return meter.read().report().loss


def example() -> list[Loss]:
    """The claim's own: three batches of 128, and a last one of 32 with a high loss."""
    return [Loss(value=torch.tensor(1.0), count=128)] * 3 + [Loss(value=torch.tensor(5.0), count=32)]


def uneven_tokens() -> tuple[Tensor, Tensor]:
    """Logits and targets of 24 tokens, 3 of them ignored."""
    torch.manual_seed(0)
    targets = torch.randint(5, (24,))
    targets[[1, 5, 20]] = IGNORED
    return torch.randn(24, 5), targets


def by_tokens(sizes: Sequence[int], *, weight: Tensor | None = None, count_all: bool = False) -> tuple[float, float]:
    """The weighted mean over batches of these sizes, and the loss of one batch of everything.

    A batch weighs its tokens that are not ignored, or the sum of their class weights; with `count_all`, all its tokens.
    """
    logits, targets = uneven_tokens()
    losses = []
    for rows, labels in zip(logits.split(list(sizes)), targets.split(list(sizes)), strict=True):
        valid = labels[labels != IGNORED]
        count = torch.tensor(float(len(valid))) if weight is None else weight[valid].sum()
        value = cross_entropy(rows, labels, weight=weight, ignore_index=IGNORED)
        losses.append(Loss(value=value, count=torch.tensor(float(len(labels))) if count_all else count))
    whole = cross_entropy(logits, targets, weight=weight, ignore_index=IGNORED)
    return weighted_mean(losses), float(whole)


def gap(pair: tuple[float, float]) -> float:
    return abs(pair[0] - pair[1])


def counts() -> Mapping[str, float]:
    losses = example()
    naive, right = mean_of_means(losses), weighted_mean(losses)
    sizes = (8, 8, 8)
    weights = torch.tensor([0.5, 1.0, 2.0, 1.0, 4.0])
    return {
        "mean of batch means, the claim's example": round(naive, 4),
        "mean over samples": round(right, 4),
        "error, %": round(100 * (naive / right - 1), 1),
        "gap to one batch of everything, ignored tokens counted": round(gap(by_tokens(sizes, count_all=True)), 4),
        "the same, ignored tokens left out, below 1e-6": int(gap(by_tokens(sizes)) < 1e-6),
        "the same with class weights, below 1e-6": int(gap(by_tokens((10, 10, 4), weight=weights)) < 1e-6),
    }


def judge(seen: Evidence) -> Judgement:
    error = seen.count("error, %")
    return Judgement(
        ruling=Ruling.HOLDS if error >= 5 else Ruling.FAILS,
        measured=f"{digits(seen.count('mean of batch means, the claim' + chr(39) + 's example'))} in place of "
        f"{digits(seen.count('mean over samples'))} ({error:+.0f} %) in the claim's own example",
        why="And the number of samples is not always the weight: ignored tokens must not count, and class weights "
        "must. With those, the mean equals the loss of one batch of everything to 1e-6.",
    )


CLAIM = Claim(
    item="M3",
    title="loss weighting",
    text="Dividing the sum of batch losses by the number of batches gives a small last batch the weight of a full one.",
    figure="inconsistent metric",
    judge=judge,
    counts=counts,
)
