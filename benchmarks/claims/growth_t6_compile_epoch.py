"""Growth options: compiling the whole epoch loop."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.claims.evidence import Evidence, digits, span, times
from benchmarks.claims.growth_l1_swallowed_failure import raised
from benchmarks.claims.spies import CountingBackend
from benchmarks.claims.trial import Claim, Comparison, Judgement, Ruling
from hotloop.compile.capture import CapturedStep
from hotloop.train.loop import train
from hotloop.train.strategies.supervised import Supervised
from hotloop.workload import Job

STEPS, SIZE = 20, "epoch of 20 steps, Linear(8, 8)"
EAGER, CAPTURED = "eager", "each step captured as one graph"
Batches = Iterable[Sequence[Tensor]]


def job() -> Job:
    torch.manual_seed(0)
    model = nn.Linear(8, 8)
    return Job(
        model=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.0),
        batches=[(torch.randn(8, 8), torch.randn(8, 8)) for _ in range(STEPS)],
        strategy=Supervised(criterion=nn.functional.mse_loss),
    )


def epoch(job: Job, batches: Batches) -> Tensor:
    """One epoch as a function that a compiler is given whole."""
    total = torch.zeros(())
    for inputs, targets in batches:
        job.optimizer.zero_grad()
        loss = nn.functional.mse_loss(job.model(inputs), targets)
        loss.backward()
        job.optimizer.step()
        total = total + loss.detach()
    return total


def forward(model: nn.Module, batches: Batches) -> Tensor:
    """The losses alone, which a tracer can follow through a list."""
    total = torch.zeros(())
    for inputs, targets in batches:
        total = total + nn.functional.mse_loss(model(inputs), targets)
    return total


def graphs(function: Callable[..., Tensor], *args: Any, fullgraph: bool = False) -> tuple[int, bool]:
    """How many graphs the call is made of, and whether it ran."""
    torch._dynamo.reset()
    backend = CountingBackend()
    compiled = torch.compile(function, backend=backend, fullgraph=fullgraph)
    failed = raised(lambda: compiled(*args)) is not None
    torch._dynamo.reset()
    return backend.graphs, not failed


def loader(batches: Sequence[Sequence[Tensor]]) -> DataLoader[Any]:
    inputs, targets = (torch.cat(parts) for parts in zip(*batches, strict=True))
    return DataLoader(TensorDataset(inputs, targets), batch_size=8)


def comparison() -> Comparison:
    plain, captured = job(), job()
    captured.step = CapturedStep(captured)

    def check(results: Mapping[str, float]) -> None:
        torch.testing.assert_close(results[CAPTURED], results[EAGER], rtol=1e-5, atol=1e-6)

    return Comparison(
        variants={EAGER: lambda: train(plain, epochs=1).loss, CAPTURED: lambda: train(captured, epochs=1).loss},
        check=check,
    )


def counts() -> Mapping[str, float]:
    work = job()
    batches = list(work.batches)
    whole = graphs(epoch, work, loader(batches), fullgraph=True)
    return {
        "epoch over a DataLoader traces as one graph": int(whole[1] and whole[0] == 1),
        "graphs of forwards over a list of 20": graphs(forward, work.model, batches)[0],
        "graphs of forwards over a DataLoader": graphs(forward, work.model, loader(batches))[0],
        "torch._dynamo.optimize is public": int("optimize" in torch.compiler.__all__),
    }


def judge(seen: Evidence) -> Judgement:
    whole, parts = (
        seen.count("epoch over a DataLoader traces as one graph"),
        seen.count("graphs of forwards over a DataLoader"),
    )
    step = seen.ratio(SIZE, CAPTURED)
    before, after = (span(seen.seconds(SIZE, name).ratio / STEPS) for name in (EAGER, CAPTURED))
    is_worth = seen.is_faster(SIZE, CAPTURED)
    ruling = Ruling.HOLDS if whole else Ruling.HALF if is_worth else Ruling.FAILS
    return Judgement(
        ruling=ruling,
        measured=f"one graph for an epoch over a DataLoader: {'yes' if whole else 'no'} (its forwards "
        f"alone give {digits(parts)} graphs); capturing each step instead {times(step)} ({before} to {after} a step)",
        why="A loader's iteration cannot be traced, and a list is unrolled step by step. What can be had is one graph "
        "a step, forward to update, which is worth it where steps are tiny.",
    )


CLAIM = Claim(
    item="option 1",
    title="compile the epoch",
    text="Compile the full epoch loop with torch._dynamo.optimize.",
    figure="potential optimization",
    judge=judge,
    sizes={SIZE: comparison},
    counts=counts,
)
