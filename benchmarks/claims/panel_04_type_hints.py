"""Panel item 4: the same functions with and without annotations."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.claims.evidence import Evidence, times
from benchmarks.claims.trial import Claim, Comparison, Judgement, Ruling

CALL, STEP = "100 calls on 8 numbers", "step of a small network"


def hinted_sum(left: Tensor, right: Tensor, scale: float) -> Tensor:
    return torch.add(left, right, alpha=scale)


def hinted_loss(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    return nn.functional.mse_loss(model(inputs), targets)


def plain_sum(left, right, scale):  # the missing annotations are what is tried
    return torch.add(left, right, alpha=scale)


def plain_loss(model, inputs, targets):
    return nn.functional.mse_loss(model(inputs), targets)


def same(results: Mapping[str, Tensor]) -> None:
    torch.testing.assert_close(results["with hints"], results["without hints"], rtol=0, atol=0)


def call() -> Comparison:
    left, right = torch.randn(8), torch.randn(8)

    def repeat(function: Callable[..., Any]) -> Tensor:
        for _ in range(100):
            found = function(left, right, 2.0)
        return found

    variants = {"without hints": lambda: repeat(plain_sum), "with hints": lambda: repeat(hinted_sum)}
    return Comparison(variants=variants, check=same)


def step() -> Comparison:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 8))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    inputs, targets = torch.randn(32, 64), torch.randn(32, 8)

    def train(loss_of: Callable[..., Tensor]) -> Tensor:
        loss = loss_of(model, inputs, targets)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    variants = {"without hints": lambda: train(plain_loss), "with hints": lambda: train(hinted_loss)}
    return Comparison(variants=variants, check=same)


def counts() -> Mapping[str, float]:
    return {
        "functions whose bytecode the hints changed": sum(
            hinted.__code__.co_code != plain.__code__.co_code
            for hinted, plain in ((hinted_sum, plain_sum), (hinted_loss, plain_loss))
        )
    }


def judge(seen: Evidence) -> Judgement:
    ratios = {size: seen.ratio(size, "with hints") for size in (CALL, STEP)}
    if all(ratio.low >= 1.05 for ratio in ratios.values()):
        ruling = Ruling.HOLDS
    else:
        same_code = seen.count("functions whose bytecode the hints changed") == 0
        ruling = Ruling.FAILS if same_code or all(ratio.high < 1.05 for ratio in ratios.values()) else Ruling.UNCLEAR
    return Judgement(
        ruling=ruling,
        measured=f"{times(ratios[CALL])} a call, {times(ratios[STEP])} a training step",
        why="Python does not read annotations when a function runs: the bytecode is the same. Hints serve the type "
        "checker.",
    )


CLAIM = Claim(
    item="4",
    title="type hints",
    text="Type hints make the dispatch of calls cheaper.",
    figure="5-10 % of dispatch",
    judge=judge,
    sizes={CALL: call, STEP: step},
    counts=counts,
)
