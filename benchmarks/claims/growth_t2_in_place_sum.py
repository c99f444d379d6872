"""Growth table: add_ on an accumulator inside a compiled step."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from benchmarks.claims.evidence import Evidence, digits
from benchmarks.claims.spies import CountingBackend, graph_breaks
from benchmarks.claims.trial import Claim, Judgement, Ruling

CALLS = 5


def accumulate(model: nn.Module, inputs: Tensor, targets: Tensor, total: Tensor) -> Tensor:
    loss = nn.functional.mse_loss(model(inputs), targets)
    total.add_(loss.detach())
    return loss


def counts() -> Mapping[str, float]:
    torch.manual_seed(0)
    call = nn.Linear(8, 4), torch.randn(16, 8), torch.randn(16, 4)
    seen = graph_breaks(accumulate, *call, torch.zeros(()))
    backend = CountingBackend()
    compiled = torch.compile(accumulate, backend=backend, fullgraph=True)
    totals = torch.zeros(()), torch.zeros(())
    for _ in range(CALLS):
        accumulate(*call, totals[0])
        compiled(*call, totals[1])
    torch._dynamo.reset()
    return {
        "graph breaks": seen["breaks"],
        f"graphs in {CALLS} calls under fullgraph=True": backend.graphs,
        "sums equal to eager": int(torch.equal(*totals)),
    }


def judge(seen: Evidence) -> Judgement:
    breaks, graphs = seen.count("graph breaks"), seen.count(f"graphs in {CALLS} calls under fullgraph=True")
    same = seen.count("sums equal to eager")
    return Judgement(
        ruling=Ruling.HOLDS if breaks == 0 and graphs == 1 and same else Ruling.FAILS,
        measured=f"{digits(breaks)} graph breaks, {digits(graphs)} graph for {CALLS} calls, sums "
        f"{'equal' if same else 'not equal'}",
        why="True, though in the reviewed code the sum stands outside the compiled function, so nothing rests on it.",
    )


CLAIM = Claim(
    item="table 2",
    title="add_ on an accumulator",
    text="In-place accumulation with add_ is safe to compile.",
    figure="compile-safe",
    judge=judge,
    counts=counts,
)
