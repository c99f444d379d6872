"""Panel item 7: what compiling the prediction heads can bring, beside what the blocks around them cost."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.claims.evidence import Evidence, digits, percent, times
from benchmarks.claims.spies import CountingBackend, Spy
from benchmarks.claims.stock_blocks import (
    Fan,
    Gat,
    Heads,
    LoopedSelection,
    MixtureHead,
    Model,
    StackedSelection,
    Tft,
    call_by_signature,
    fan_by_pooling,
    fan_by_windows,
)
from benchmarks.claims.trial import Claim, Comparison, Judgement, Ruling

FEATURES, HIDDEN, BATCH, DAYS = 437, 64, 8, 20
SHARES, HEADS, TFT = "blocks of one step", "heads, eager and compiled", "TFT, eager and compiled"
SELECTION, FAN, GAT = "variable selection", "FAN, three windows", "GAT, 8 heads, 500 stocks"
STOCKS, EDGES, GAT_HEADS = 500, 5_000, 8


def total(outputs: Any) -> Tensor:
    """One number that depends on every output."""
    return (
        sum(value.square().sum() for value in outputs.values()) if isinstance(outputs, dict) else outputs.square().sum()
    )


def step(function: Callable[..., Any], *inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Value and gradient of the first input, after forward and backward; parameters' gradients are overwritten."""
    leaf = inputs[0].detach().requires_grad_()
    value = total(function(leaf, *inputs[1:]))
    for parameter in getattr(function, "__self__", function).parameters():
        parameter.grad = None
    value.backward()
    return value.detach(), leaf.grad


def close(results: Mapping[str, tuple[Tensor, Tensor]]) -> None:
    expected = next(iter(results.values()))
    for found in results.values():
        torch.testing.assert_close(found, expected, rtol=2e-3, atol=2e-4)


def series() -> Tensor:
    return torch.randn(BATCH, DAYS, HIDDEN, generator=torch.Generator().manual_seed(1))


def features() -> Tensor:
    return torch.randn(BATCH, DAYS, FEATURES, generator=torch.Generator().manual_seed(2))


def shares() -> Comparison:
    torch.manual_seed(0)
    model, x_BLF, x_BLH = Model(LoopedSelection(FEATURES, HIDDEN), hidden=HIDDEN), features(), series()
    return Comparison(
        variants={
            "whole step": lambda: step(model, x_BLF),
            "variable selection": lambda: step(model.selection, x_BLF),
            "TFT": lambda: step(model.tft, x_BLH),
            "FAN": lambda: step(model.fan, x_BLH),
            "heads": lambda: step(model.heads, x_BLH),
        },
        check=None,
    )


def compiled(make: Callable[[], nn.Module]) -> Comparison:
    torch.manual_seed(0)
    module, x_BLH = make(), series()
    fast = torch.compile(module)
    variants = {"eager": lambda: step(module, x_BLH), "compiled": lambda: step(fast, x_BLH)}
    return Comparison(variants=variants, check=close)


def selection() -> Comparison:
    torch.manual_seed(0)
    looped, x_BLF = LoopedSelection(FEATURES, HIDDEN), features()
    stacked = StackedSelection(looped)
    return Comparison(
        variants={"loop over features": lambda: step(looped, x_BLF), "stacked weights": lambda: step(stacked, x_BLF)},
        check=close,
    )


def fan() -> Comparison:
    found, pooled, x_BLH = Fan(HIDDEN, fan_by_windows), Fan(HIDDEN, fan_by_pooling), series()

    def check(results: Mapping[str, tuple[Tensor, Tensor]]) -> None:
        """Equal in float64; in float32 the found form is the one that errs, see the counts."""
        exact = [step(copy.deepcopy(block).double(), x_BLH.double()) for block in (found, pooled)]
        torch.testing.assert_close(exact[1], exact[0], rtol=1e-8, atol=1e-8)
        assert gap(results["average pooling"][1], exact[0][1]) < 1e-4

    return Comparison(
        variants={"windows unfolded": lambda: step(found, x_BLH), "average pooling": lambda: step(pooled, x_BLH)},
        check=check,
    )


def gap(found: Tensor, exact: Tensor) -> float:
    """Largest error as a share of the largest exact value."""
    return float((found.double() - exact).abs().max() / exact.abs().max())


def fan_errors() -> Mapping[str, float]:
    """How far the gradients of FAN are from those in float64."""
    x_BLH = series()
    exact = step(Fan(HIDDEN, fan_by_windows).double(), x_BLH.double())[1]
    return {
        f"largest gradient error of FAN against float64, % of the largest, {name}": float(
            f"{100 * gap(step(Fan(HIDDEN, z_score), x_BLH)[1], exact):.1g}"
        )
        for name, z_score in (("windows unfolded", fan_by_windows), ("average pooling", fan_by_pooling))
    }


def gat() -> Comparison:
    torch.manual_seed(0)
    block, x_SH = Gat(HIDDEN, GAT_HEADS), torch.randn(STOCKS, HIDDEN)
    edges_2E = torch.randint(0, STOCKS, (2, EDGES))
    return Comparison(
        variants={
            "heads one by one": lambda: step(block.one_by_one, x_SH, edges_2E),
            "all heads at once": lambda: step(block.all_at_once, x_SH, edges_2E),
        },
        check=close,
    )


def counts() -> Mapping[str, float]:
    torch.manual_seed(0)
    looped, x_BLF, x_BLH = LoopedSelection(FEATURES, HIDDEN), features(), series()
    found: dict[str, float] = {}
    for name, module in (("loop", looped), ("stacked", StackedSelection(looped))):
        with Spy() as spy:
            step(module, x_BLF)
        found[f"operators of variable selection, {name}"] = spy.operators
    checked = Model(nn.Linear(FEATURES, HIDDEN), hidden=HIDDEN, checked=True)
    with Spy() as spy:
        checked(x_BLF)
    found["host reads of one forward with finite checks"] = spy.reads
    block = Fan(HIDDEN)
    copies_BLH = x_BLH[:, -1:].expand_as(x_BLH)
    found["mean |FAN| on a series"] = round(float(block(x_BLH).abs().mean()), 3)
    found["mean |FAN| on copies of the last day, as in the model"] = round(float(block(copies_BLH).abs().mean()), 3)
    return {**found, **fan_errors(), **mixture()}


def mixture() -> Mapping[str, float]:
    """Whether the regime reaches a mixture head that is called by its signature, eager and compiled."""
    torch._dynamo.reset()
    head, x_BH, regime_B2 = MixtureHead(HIDDEN), torch.randn(4, HIDDEN), torch.randn(4, 2)
    fast = torch.compile(head, backend=CountingBackend())
    right = head(x_BH, regime_B2)
    return {
        "regime reaches the mixture head, eager": int(torch.equal(call_by_signature(head, x_BH, regime_B2), right)),
        "regime reaches it, compiled": int(torch.allclose(call_by_signature(fast, x_BH, regime_B2), right)),
        "regime reaches it, compiled and passed outright": int(torch.allclose(fast(x_BH, regime_B2), right)),
    }


def judge(seen: Evidence) -> Judgement:
    share, most = seen.share(SHARES, "heads"), seen.share(SHARES, "variable selection")
    needed = 1 - 1 / 1.1  # Amdahl: the share that a part must have for the whole to gain 10 %
    ruling = Ruling.FAILS if share.high < needed else Ruling.HOLDS if share.low >= needed else Ruling.UNCLEAR
    loop, stacked = (seen.count(f"operators of variable selection, {name}") for name in ("loop", "stacked"))
    bound = 1 / (1 - share.ratio)
    return Judgement(
        ruling=ruling,
        measured=f"the heads are {percent(share)} of a step, at best {bound:.4f}x; compiled they run at "
        f"{times(seen.ratio(HEADS, 'compiled'))}, the TFT at {times(seen.ratio(TFT, 'compiled'))}",
        why=f"Variable selection is {percent(most)} of the step. Stacking its weights: {digits(loop)} operators become "
        f"{digits(stacked)}, {times(seen.ratio(SELECTION, 'stacked weights'))}; FAN by pooling "
        f"{times(seen.ratio(FAN, 'average pooling'))}, all GAT heads at once "
        f"{times(seen.ratio(GAT, 'all heads at once'))}.",
    )


CLAIM = Claim(
    item="7",
    title="compile the heads",
    text="Only the TFT is compiled; compiling the prediction heads as well makes training faster.",
    figure="10-30 %",
    judge=judge,
    sizes={
        SHARES: shares,
        HEADS: lambda: compiled(lambda: Heads(HIDDEN)),
        TFT: lambda: compiled(lambda: Tft(HIDDEN)),
        SELECTION: selection,
        FAN: fan,
        GAT: gat,
    },
    counts=counts,
)
