"""Panel item 9: batches in bfloat16, what they save, and what must not be cast."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from benchmarks.claims.evidence import Evidence, digits, times
from benchmarks.claims.trial import Claim, Comparison, Judgement, Ruling

SHAPE = (64, 60, 437)
COPY, LINEAR, TRANSFER = "copy of a batch, 64 x 60 x 437", "linear layer on the batch", "copy of a batch to the GPU"
F32, F32_CAST, BF16, CAST_BACK = (
    "float32, no autocast",
    "float32 batch, autocast",
    "bf16 batch, autocast",
    "bf16 batch, model casts back",
)
RETURNS = 200_000
LARGEST_OFFSET = 4.0  # in standard deviations: beyond it the 8 bits of bf16 go to the offset
EPOCHS = 20


def to_bf16(features: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """The batch with features in bf16 and targets left in float32.

    Raises ValueError for columns that were not normalised before, since bf16 has 8 bits and an offset eats them.
    """
    flat = features.flatten(0, -2).double()
    offset = flat.mean(0).abs() / flat.std(0).clamp_min(1e-12)
    wrong = [number for number, value in enumerate(offset.tolist()) if value > LARGEST_OFFSET]
    if wrong:
        raise ValueError(
            f"columns {wrong[:5]} ({len(wrong)} in all) lie more than {LARGEST_OFFSET:g} standard deviations from 0; "
            "bf16 takes normalised columns: normalise in float32 first, then cast"
        )
    if targets.dtype != torch.float32:
        raise ValueError(f"targets are {targets.dtype}; labels and prices must stay float32: cast only the features")
    return features.to(torch.bfloat16), targets


def batch() -> Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(0))


def copies() -> Comparison:
    wide = batch()
    narrow = wide.to(torch.bfloat16)

    def check(results: Mapping[str, Tensor]) -> None:
        torch.testing.assert_close(results["bf16"].float(), results["float32"], rtol=2**-8, atol=0)

    return Comparison(variants={"float32": wide.clone, "bf16": narrow.clone}, check=check)


def transfers() -> Comparison:
    wide = batch().pin_memory()
    narrow = wide.to(torch.bfloat16).pin_memory()

    def check(results: Mapping[str, Tensor]) -> None:
        torch.testing.assert_close(results["bf16"].float(), results["float32"], rtol=2**-8, atol=0)

    return Comparison(variants={"float32": lambda: wide.to("cuda"), "bf16": lambda: narrow.to("cuda")}, check=check)


def linear() -> Comparison:
    torch.manual_seed(0)
    layer, wide = nn.Linear(SHAPE[-1], 256), batch()
    narrow = wide.to(torch.bfloat16)

    def apply(inputs: Tensor, *, autocast: bool) -> Tensor:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            return layer(inputs)

    def check(results: Mapping[str, Tensor]) -> None:
        for name in (BF16, CAST_BACK):
            torch.testing.assert_close(results[name], results[F32_CAST], rtol=0, atol=0)
        torch.testing.assert_close(results[BF16].float(), results[F32], rtol=2e-2, atol=2e-2)

    return Comparison(
        variants={
            F32: lambda: apply(wide, autocast=False),
            F32_CAST: lambda: apply(wide, autocast=True),
            BF16: lambda: apply(narrow, autocast=True),
            CAST_BACK: lambda: apply(narrow.float(), autocast=True),
        },
        check=check,
    )


def late_error(mean: float) -> float:
    """Mean error of values normalised after the cast, in standard deviations: what the right order does not lose."""
    values = torch.randn(100_000, generator=torch.Generator().manual_seed(0)) + mean
    late = values.to(torch.bfloat16).float()
    return float(((late - values) / values.std()).abs().mean())


def loss_gap() -> float:
    """Largest relative gap between the loss curves of a float32 and a bf16 data set, over 20 epochs."""
    curves = [loss_curve(is_narrow=flag) for flag in (False, True)]
    return float(((curves[1] - curves[0]).abs() / curves[0]).max())


def loss_curve(*, is_narrow: bool) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(512, 32, generator=generator)
    targets = features @ torch.randn(32, 1, generator=generator) + 0.1 * torch.randn(512, 1, generator=generator)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    inputs = to_bf16(features, targets)[0] if is_narrow else features
    losses = []
    for _ in range(EPOCHS):
        total = torch.zeros(())
        for rows, labels in zip(inputs.split(64), targets.split(64), strict=True):
            with torch.autocast("cpu", torch.bfloat16):
                outputs = model(rows)
            loss = nn.functional.mse_loss(outputs.float(), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach()
        losses.append(total)
    return torch.stack(losses)


def counts() -> Mapping[str, float]:
    wide = batch()
    returns = 0.02 * torch.randn(RETURNS, generator=torch.Generator().manual_seed(0))
    return {
        "bytes of a float32 batch": wide.nbytes,
        "bytes of a bf16 batch": wide.to(torch.bfloat16).nbytes,
        "error of normalising after the cast, mean 0, % of sd": round(100 * late_error(0.0), 3),
        "error of normalising after the cast, mean 1,000, % of sd": round(100 * late_error(1000.0), 1),
        f"distinct values of {RETURNS:,} returns, float32": len(returns.unique()),
        f"distinct values of {RETURNS:,} returns, bf16": len(returns.to(torch.bfloat16).float().unique()),
        "largest gap of the loss curves, bf16 features, %": round(100 * loss_gap(), 3),
    }


def judge(seen: Evidence) -> Judgement:
    bytes_saved = seen.count("bytes of a float32 batch") / seen.count("bytes of a bf16 batch")
    price = seen.count("error of normalising after the cast, mean 1,000, % of sd")
    unit = seen.count("error of normalising after the cast, mean 0, % of sd")
    distinct = [seen.count(f"distinct values of {RETURNS:,} returns, {name}") for name in ("float32", "bf16")]
    saves, is_safe = bytes_saved >= 1.1, price < 1.0
    ruling = Ruling.HOLDS if saves and is_safe else Ruling.HALF if saves else Ruling.FAILS
    device = seen.ratio(TRANSFER, "bf16") if seen.has_cuda else seen.ratio(COPY, "bf16")
    return Judgement(
        ruling=ruling,
        measured=f"{digits(bytes_saved)}x fewer bytes, copying a batch "
        f"{'to the GPU ' if seen.has_cuda else 'in memory '}{times(device)}; a linear layer under autocast "
        f"{times(seen.ratio(LINEAR, BF16, over=F32_CAST))}, bit-equal; with the model casting back "
        f"{times(seen.ratio(LINEAR, CAST_BACK, over=F32_CAST))}",
        why=f"Safe only after normalising: cast first, and price-like columns are wrong by {digits(price)} % of their "
        f"deviation ({digits(unit)} % for mean 0); {digits(distinct[0])} distinct returns collapse to "
        f"{digits(distinct[1])}, so labels stay float32. What it saves on the way to a GPU needs one to be seen.",
    )


CLAIM = Claim(
    item="9",
    title="bf16 batches",
    text="Batches in bf16 in place of float32 save bandwidth.",
    figure="5-10 % of bandwidth",
    judge=judge,
    sizes={COPY: copies, LINEAR: linear, **({TRANSFER: transfers} if torch.cuda.is_available() else {})},
    counts=counts,
)
