"""Growth H2: when gradient statistics are taken, and of which batches."""

import itertools
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from benchmarks.claims.evidence import Evidence, digits, times
from benchmarks.claims.spies import Spy
from benchmarks.claims.trial import Claim, Comparison, Judgement, Ruling

BATCHES, BAD_BATCH, EVERY = 100, 3, 10
FOLD_EVERY = 64  # steps between two folds: rare enough to cost a step next to nothing
EXPLODING = 100.0  # norm of one parameter's gradient; the threshold of the reviewed collector
LARGE, SMALL = "2M-parameter MLP, batch 256", "17k-parameter MLP, batch 64"
STEPS = 4


class RunningHealth:
    """Largest and mean gradient norm and the steps with non-finite ones, on the device; one read at the end."""

    def __init__(self) -> None:
        self._pending: list[Tensor] = []  # norms of each parameter, one tensor a step
        self._sums: Tensor | None = None  # largest, sum of finite norms, finite steps, non-finite steps

    def add(self, gradients: list[Tensor]) -> None:
        """Take in one step; call it after unscaling and before clipping. Nothing is read."""
        self._pending.append(torch.stack(torch._foreach_norm(gradients)))
        if len(self._pending) == FOLD_EVERY:
            self._fold()

    def read(self) -> dict[str, float]:
        if self._pending:
            self._fold()
        largest, total, finite, nonfinite = [0.0, 0.0, 0.0, 0.0] if self._sums is None else self._sums.tolist()
        return {"largest": largest, "mean": total / finite if finite else 0.0, "nonfinite": nonfinite}

    def _fold(self) -> None:
        norms = torch.stack(self._pending).norm(dim=1).double()
        self._pending = []
        is_finite = norms.isfinite()
        seen = norms.where(is_finite, 0.0)
        new = torch.stack([seen.max(), seen.sum(), is_finite.double().sum(), (~is_finite).double().sum()])
        if self._sums is None:
            self._sums = new
        else:
            self._sums[0].clamp_(min=new[0])
            self._sums[1:] += new[1:]


def gradients_changed() -> int:
    """Configurations of optimizers, all with weight decay, whose step changed a gradient."""
    kinds: dict[type[torch.optim.Optimizer], dict[str, float]] = {
        torch.optim.SGD: {"momentum": 0.9},
        torch.optim.Adam: {},
        torch.optim.AdamW: {},
    }
    changed = 0
    for (kind, options), mode in itertools.product(kinds.items(), ({}, {"foreach": True}, {"fused": True})):
        torch.manual_seed(0)
        model = nn.Linear(8, 8)
        optimizer = kind(model.parameters(), lr=0.1, weight_decay=0.1, **options, **mode)
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.randn(4, 8)).square().sum().backward()
            before = [parameter.grad.clone() for parameter in model.parameters()]
            optimizer.step()
            after = [parameter.grad for parameter in model.parameters()]
            changed += any(not torch.equal(*pair) for pair in zip(before, after, strict=True))
    return changed


def clipping_changed() -> int:
    """1 if clipping changes the gradients, which is the timing that matters."""
    model = nn.Linear(8, 8)
    model(torch.randn(4, 8)).square().sum().backward()
    before = model.weight.grad.clone()
    nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
    return int(not torch.equal(before, model.weight.grad))


def explosions_seen(bad_batch: int = BAD_BATCH) -> Mapping[str, int]:
    """Whether one bad batch of 100 shows, by the way statistics are taken."""
    health, norms = RunningHealth(), []
    for number in range(BATCHES):
        gradients = [torch.full((4,), 1e6 if number == bad_batch else 1.0)]
        norms.append(float(gradients[0].norm()))
        health.add(gradients)
    return {
        "last batch only": int(norms[-1] > EXPLODING),
        f"every {EVERY}th batch": int(max(norms[::EVERY]) > EXPLODING),
        "running maximum": int(health.read()["largest"] > EXPLODING),
    }


def training(width: int, batch: int) -> Comparison:
    torch.manual_seed(0)
    sizes = (64, width, width, 8)
    layers = [layer for pair in itertools.pairwise(sizes) for layer in (nn.Linear(*pair), nn.ReLU())]
    model = nn.Sequential(*layers[:-1])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    inputs, targets = torch.randn(batch, 64), torch.randn(batch, 8)

    health = RunningHealth()  # lives through all calls, so that its folds are timed as often as they happen

    def run(health: RunningHealth | None) -> Tensor:
        losses = []
        for _ in range(STEPS):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(inputs), targets)
            loss.backward()
            if health is not None:
                health.add([parameter.grad for parameter in model.parameters()])
            optimizer.step()
            losses.append(loss.detach())
        return torch.stack(losses)

    def check(results: Mapping[str, Tensor]) -> None:
        torch.testing.assert_close(results["running health"], results["no statistics"], rtol=0, atol=0)

    variants: dict[str, Callable[[], Tensor]] = {
        "no statistics": lambda: run(None),
        "running health": lambda: run(health),
    }
    return Comparison(variants=variants, check=check)


def counts() -> Mapping[str, float]:
    health, gradients = RunningHealth(), [torch.randn(8), torch.randn(4, 4)]
    with Spy() as inside:
        for _ in range(2 * FOLD_EVERY):
            health.add(gradients)
    with Spy() as after:
        health.read()
    return {
        "optimizer steps that changed a gradient (SGD, Adam, AdamW; loop, foreach, fused)": gradients_changed(),
        "clipping changes gradients": clipping_changed(),
        **{f"explosion at batch {BAD_BATCH} of {BATCHES} seen, {how}": seen for how, seen in explosions_seen().items()},
        "host reads of running health inside 128 steps": inside.reads,
        "host reads at the end": after.reads,
    }


def judge(seen: Evidence) -> Judgement:
    changed = seen.count("optimizer steps that changed a gradient (SGD, Adam, AdamW; loop, foreach, fused)")
    last, every, running = (
        seen.count(f"explosion at batch {BAD_BATCH} of {BATCHES} seen, {how}")
        for how in ("last batch only", f"every {EVERY}th batch", "running maximum")
    )
    timing, sampling = changed > 0, not last
    ruling = Ruling.HOLDS if timing and sampling else Ruling.HALF if timing or sampling else Ruling.FAILS
    costs = {size: seen.ratio(size, "running health") for size in (LARGE, SMALL)}
    answer = {0.0: "no", 1.0: "yes"}
    return Judgement(
        ruling=ruling,
        measured=f"{digits(changed)} steps changed a gradient. One explosion in {BATCHES} batches seen: last batch "
        f"{answer[last]}, every {EVERY}th {answer[every]}, running maximum {answer[running]}. Speed with a running "
        f"maximum: {times(costs[LARGE])} (2M parameters), {times(costs[SMALL])} (17k)",
        why="Right about the last batch, and sampling every few batches misses a lone spike too. Wrong about the step: "
        "weight decay leaves the gradients alone; clipping changes them. "
        "A running maximum costs a fixed time a step, which shows where steps are tiny.",
    )


CLAIM = Claim(
    item="H2",
    title="timing of gradient statistics",
    text="Statistics before the optimizer's step miss what weight decay does to gradients, and the last batch alone "
    "misses early explosions; accumulate, or sample every N batches.",
    figure="pathologies missed",
    judge=judge,
    sizes={LARGE: lambda: training(1_380, 256), SMALL: lambda: training(100, 64)},
    counts=counts,
)
