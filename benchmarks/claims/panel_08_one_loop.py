"""Panel item 8: three training loops that were copied from each other, and one function in their place."""

import inspect
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from benchmarks.claims.evidence import Evidence, digits, times
from benchmarks.claims.trial import Claim, Comparison, Judgement, Ruling

PLAIN, ACCUMULATED, WEIGHTED = "plain epoch", "accumulating epoch", "weighted epoch"
BATCHES, ACCUMULATION = 20, 2

Batch = tuple[Tensor, Tensor, Tensor]
Loop = Callable[[nn.Module, torch.optim.Optimizer, Sequence[Batch]], Tensor]


def train_plain(model: nn.Module, optimizer: torch.optim.Optimizer, batches: Sequence[Batch]) -> Tensor:
    """Losses of an epoch."""
    losses = []
    model.train()
    for inputs, targets, _ in batches:
        optimizer.zero_grad()
        loss = (model(inputs) - targets).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses)


def train_accumulated(model: nn.Module, optimizer: torch.optim.Optimizer, batches: Sequence[Batch]) -> Tensor:
    """Losses of an epoch that steps after every second batch."""
    losses = []
    model.train()
    optimizer.zero_grad()
    for number, (inputs, targets, _) in enumerate(batches, start=1):
        loss = (model(inputs) - targets).square().mean()
        (loss / ACCUMULATION).backward()
        if number % ACCUMULATION == 0:
            optimizer.step()
            optimizer.zero_grad()
        losses.append(loss.detach())
    return torch.stack(losses)


def train_weighted(model: nn.Module, optimizer: torch.optim.Optimizer, batches: Sequence[Batch]) -> Tensor:
    """Losses of an epoch whose samples have weights."""
    losses = []
    model.train()
    for inputs, targets, weights in batches:
        optimizer.zero_grad()
        loss = ((model(inputs) - targets).square() * weights).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses)


def train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Sequence[Batch],
    *,
    accumulation: int = 1,
    is_weighted: bool = False,
) -> Tensor:
    """Losses of an epoch, any of the three."""
    losses = []
    model.train()
    optimizer.zero_grad()
    for number, (inputs, targets, weights) in enumerate(batches, start=1):
        errors = (model(inputs) - targets).square()
        loss = (errors * weights).mean() if is_weighted else errors.mean()
        (loss / accumulation if accumulation > 1 else loss).backward()
        if number % accumulation == 0:
            optimizer.step()
            optimizer.zero_grad()
        losses.append(loss.detach())
    return torch.stack(losses)


LOOPS: Mapping[str, tuple[Loop, Loop]] = {
    PLAIN: (train_plain, train),
    ACCUMULATED: (train_accumulated, lambda *call: train(*call, accumulation=ACCUMULATION)),
    WEIGHTED: (train_weighted, lambda *call: train(*call, is_weighted=True)),
}


def epoch(loop: Loop) -> Callable[[], Tensor]:
    """A call that trains a fresh copy of one model from one state, so that every call does the same."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 4))
    start = [parameter.detach().clone() for parameter in model.parameters()]
    batches = [(torch.randn(64, 64), torch.randn(64, 4), torch.rand(64, 1)) for _ in range(BATCHES)]

    def run() -> Tensor:
        with torch.no_grad():
            for parameter, value in zip(model.parameters(), start, strict=True):
                parameter.copy_(value)
        return loop(model, torch.optim.SGD(model.parameters(), lr=0.01), batches)

    return run


def comparison(name: str) -> Comparison:
    copied, shared = LOOPS[name]

    def check(results: Mapping[str, Tensor]) -> None:
        torch.testing.assert_close(results["one function"], results["copied loop"], rtol=0, atol=0)

    return Comparison(variants={"copied loop": epoch(copied), "one function": epoch(shared)}, check=check)


def num_lines(function: Callable[..., object]) -> int:
    return len(inspect.getsource(function).splitlines())


def counts() -> Mapping[str, float]:
    copied = sum(num_lines(loop) for loop in (train_plain, train_accumulated, train_weighted))
    return {"lines of three loops": copied, "lines of one function": num_lines(train)}


def judge(seen: Evidence) -> Judgement:
    ratios = {name: seen.ratio(name, "one function") for name in LOOPS}
    if all(ratio.low >= 1.01 for ratio in ratios.values()):
        ruling = Ruling.HOLDS
    elif any(seen.is_faster(name, "one function") for name in LOOPS):
        ruling = Ruling.HALF
    else:
        ruling = Ruling.FAILS
    before, after = (seen.count(f"lines of {what}") for what in ("three loops", "one function"))
    return Judgement(
        ruling=ruling,
        measured="; ".join(f"{name} {times(ratio)}" for name, ratio in ratios.items())
        + f"; {digits(before)} lines become {digits(after)}",
        why="Both do the same work and give identical losses. One loop is worth having for its readers, not its speed.",
    )


CLAIM = Claim(
    item="8",
    title="duplicate loops",
    text="Merging three duplicate training loops into one function makes training faster.",
    figure="1-2 %",
    judge=judge,
    sizes={name: (lambda name=name: comparison(name)) for name in LOOPS},
    counts=counts,
)
