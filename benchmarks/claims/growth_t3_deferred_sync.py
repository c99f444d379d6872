"""Growth table: losses summed on the device and read once an epoch."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from benchmarks.claims.evidence import Evidence, digits, times
from benchmarks.claims.spies import Spy
from benchmarks.claims.trial import Claim, Comparison, Judgement, Ruling
from hotloop.train.metrics import Meter
from hotloop.workload import Loss

STEPS, SIZE = 20, "epoch of 20 steps, small network"
EVERY_STEP, DEFERRED, METER = "read at every step", "sums read at the end", "hotloop's Meter"

Epoch = Callable[[Spy | None], tuple[float, float]]


def epochs() -> Mapping[str, Epoch]:
    """Mean loss and accuracy of one epoch of the same training, by the way they are collected."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    batches = [(torch.randn(32, 32), torch.randint(4, (32,))) for _ in range(STEPS)]

    def step(inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        optimizer.zero_grad()
        outputs = model(inputs)
        loss = nn.functional.cross_entropy(outputs, targets)
        loss.backward()
        optimizer.step()
        return loss.detach(), (outputs.detach().argmax(1) == targets).sum()

    def every_step(_: Spy | None) -> tuple[float, float]:
        loss = correct = 0.0
        for batch in batches:
            value, right = step(*batch)
            loss += value.item()
            correct += right.item()
        return loss / STEPS, correct / (32 * STEPS)

    def deferred(spy: Spy | None) -> tuple[float, float]:
        loss, correct = torch.zeros(()), torch.zeros((), dtype=torch.int64)
        for batch in batches:
            value, right = step(*batch)
            loss.add_(value)
            correct.add_(right)
        mark(spy)
        return loss.item() / STEPS, correct.item() / (32 * STEPS)

    def metered(spy: Spy | None) -> tuple[float, float]:
        meter = Meter()
        for batch in batches:
            value, right = step(*batch)
            meter.add(Loss(value=value, count=32, metrics={"accuracy": right / 32}))
        mark(spy)
        report = meter.read().report()
        return report.loss, report.metrics["accuracy"]

    return {EVERY_STEP: every_step, DEFERRED: deferred, METER: metered}


def mark(spy: Spy | None) -> None:
    """Remember the reads so far: those inside the loop."""
    if spy is not None:
        spy.inside = spy.reads


def comparison() -> Comparison:
    def check(results: Mapping[str, tuple[float, float]]) -> None:
        for found in results.values():
            torch.testing.assert_close(found, results[EVERY_STEP], rtol=1e-6, atol=1e-6)

    variants = {name: (lambda run=run: run(None)) for name, run in epochs().items()}
    return Comparison(variants=variants, check=check)


def counts() -> Mapping[str, float]:
    found: dict[str, float] = {}
    for name, run in epochs().items():
        with Spy() as spy:
            run(spy)
        inside = spy.reads if spy.inside is None else spy.inside
        found[f"host reads inside {STEPS} steps, {name}"] = inside
        found[f"host reads after them, {name}"] = spy.reads - inside
    return found


def judge(seen: Evidence) -> Judgement:
    inside, every = (seen.count(f"host reads inside {STEPS} steps, {name}") for name in (DEFERRED, EVERY_STEP))
    after, ours = (seen.count(f"host reads after them, {name}") for name in (DEFERRED, METER))
    return Judgement(
        ruling=Ruling.HOLDS if inside == 0 and after == 1 else Ruling.HALF if inside == 0 else Ruling.FAILS,
        measured=f"{digits(every)} reads become {digits(inside)} inside the loop and {digits(after)} after it; "
        f"our loop needs {digits(ours)}. Time here: {times(seen.ratio(SIZE, DEFERRED))}, "
        f"ours {times(seen.ratio(SIZE, METER))}",
        why="Nothing is read in the loop, as claimed, but one sum is read after the other at the end. A CPU does not "
        "wait for itself, so no time is expected from it here.",
    )


CLAIM = Claim(
    item="table 3",
    title="deferred host reads",
    text="The loop sums loss and accuracy on the device and synchronises once at the end of the epoch.",
    figure="no read inside the loop, one at the end",
    judge=judge,
    sizes={SIZE: comparison},
    counts=counts,
)
