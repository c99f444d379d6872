"""Panel item 5: validation metrics by moving every batch to the host, or by keeping them on the device."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor

from benchmarks.claims.evidence import Evidence, digits, times
from benchmarks.claims.spies import Spy
from benchmarks.claims.trial import Claim, Comparison, Judgement, Ruling

# Shapes: B samples of a batch, N of all batches, H horizons.
BATCHES, BATCH, HORIZONS = 100, 512, 4
ALL, SUMS = "100 batches of 512 x 4, all metrics", "100 batches of 512 x 4, without RankIC"
HOST, DEVICE, STREAMED = "each batch to the host", "kept on the device, one read", "running sums, one read"
DEVICE_AT_HAND = "cuda" if torch.cuda.is_available() else "cpu"

Batches = Sequence[tuple[Tensor, Tensor]]


def batches() -> Batches:
    generator = torch.Generator().manual_seed(0)
    made = []
    for _ in range(BATCHES):
        target_BH = torch.randn(BATCH, HORIZONS, generator=generator)
        prediction_BH = (0.3 * target_BH + torch.randn(BATCH, HORIZONS, generator=generator)).mul(20).round() / 20
        target_BH[torch.rand(BATCH, HORIZONS, generator=generator) < 0.02] = torch.nan
        made.append((prediction_BH.to(DEVICE_AT_HAND), target_BH.to(DEVICE_AT_HAND)))
    return made


def on_host(data: Batches, *, ranks: bool = True) -> NDArray[np.float64]:
    """What the claim found: per batch and horizon a transfer of either side, a mask a batch, a loss read a batch."""
    kept: list[list[NDArray[np.float32]]] = [[] for _ in range(2 * HORIZONS)]
    masks, losses = [], []
    for prediction_BH, target_BH in data:
        valid_BH = prediction_BH.isfinite() & target_BH.isfinite()
        masks.append(valid_BH.cpu().numpy())
        for horizon in range(HORIZONS):
            kept[2 * horizon].append(prediction_BH[:, horizon].detach().cpu().numpy())
            kept[2 * horizon + 1].append(target_BH[:, horizon].detach().cpu().numpy())
        losses.append((prediction_BH - target_BH).nan_to_num().square().mean().item())
    mask_NH = np.concatenate(masks)
    rows = []
    for horizon in range(HORIZONS):
        valid_N = mask_NH[:, horizon]
        prediction_N = np.concatenate(kept[2 * horizon])[valid_N].astype(np.float64)
        target_N = np.concatenate(kept[2 * horizon + 1])[valid_N].astype(np.float64)
        rows.append(host_metrics(prediction_N, target_N, ranks=ranks))
    return np.array(rows).T


def host_metrics(prediction_N: NDArray[np.float64], target_N: NDArray[np.float64], *, ranks: bool) -> list[float]:
    """IC, mean squared error, Sharpe and, where wanted, RankIC (Spearman, ties averaged) of one horizon."""
    pnl_N = np.sign(prediction_N) * target_N
    found = [
        float(np.corrcoef(prediction_N, target_N)[0, 1]),
        float(np.mean((prediction_N - target_N) ** 2)),
        float(pnl_N.mean() / pnl_N.std()),
    ]
    if ranks:
        found.append(float(np.corrcoef(rankdata(prediction_N), rankdata(target_N))[0, 1]))
    return found


def on_device(data: Batches, *, ranks: bool = True) -> NDArray[np.float64]:
    """The same from concatenated tensors: metrics x horizons. All predictions and targets stay on the device."""
    prediction_NH = torch.cat([prediction for prediction, _ in data]).double()
    target_NH = torch.cat([target for _, target in data]).double()
    return np.array(device_metrics(prediction_NH, target_NH, ranks=ranks).tolist())


def device_metrics(prediction_NH: Tensor, target_NH: Tensor, *, ranks: bool = True) -> Tensor:
    """IC, mean squared error, Sharpe and RankIC over finite pairs, shape (4, H), without a host read.

    NaN for a horizon without two different finite pairs.
    """
    valid_NH = prediction_NH.isfinite() & target_NH.isfinite()
    sums = moments(prediction_NH, target_NH, valid_NH)
    rows = list(from_moments(sums))
    if ranks:
        inputs = (average_ranks(values.where(valid_NH, torch.inf)) for values in (prediction_NH, target_NH))
        rows.append(from_moments(moments(*inputs, valid_NH))[0])
    return torch.stack(rows)


def moments(left_NH: Tensor, right_NH: Tensor, valid_NH: Tensor) -> Tensor:
    """Sums over finite pairs from which IC, error and Sharpe follow, shape (8, H), float64."""
    left_NH, right_NH = (values.double().where(valid_NH, 0.0) for values in (left_NH, right_NH))
    pnl_NH = left_NH.sign() * right_NH
    parts = (valid_NH.double(), left_NH, right_NH, left_NH**2, right_NH**2, left_NH * right_NH, pnl_NH, pnl_NH**2)
    return torch.stack([part.sum(0) for part in parts])


def from_moments(sums_MH: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """IC, mean squared error and Sharpe of each horizon."""
    count, left, right, left2, right2, product, pnl, pnl2 = sums_MH / sums_MH[0]
    covariance = product - left * right
    ic = covariance / ((left2 - left**2) * (right2 - right**2)).sqrt()
    return ic * count, left2 - 2 * product + right2, pnl / (pnl2 - pnl**2).sqrt()


def average_ranks(values_NH: Tensor) -> Tensor:
    """Ranks from 1 down each column, ties averaged, float64, without a host read. Takes about 80 N H bytes."""
    ordered_NH, order_NH = values_NH.sort(dim=0)
    is_new_NH = torch.ones_like(ordered_NH, dtype=torch.bool)
    is_new_NH[1:] = ordered_NH[1:] != ordered_NH[:-1]
    group_NH = is_new_NH.cumsum(0) - 1
    size_NH = torch.zeros_like(ordered_NH, dtype=torch.float64)
    size_NH = size_NH.scatter_add(0, group_NH, torch.ones_like(size_NH))
    last_NH = size_NH.cumsum(0)
    middle_NH = last_NH - (size_NH - 1) / 2
    return torch.empty_like(size_NH).scatter_(0, order_NH, middle_NH.gather(0, group_NH))


def streamed(data: Batches) -> NDArray[np.float64]:
    """All but RankIC from sums that each batch adds to; memory does not grow."""
    sums_MH = torch.zeros(8, HORIZONS, dtype=torch.float64, device=DEVICE_AT_HAND)
    for prediction_BH, target_BH in data:
        sums_MH += moments(prediction_BH, target_BH, prediction_BH.isfinite() & target_BH.isfinite())
    return np.array(torch.stack(from_moments(sums_MH)).tolist())


def same(results: Mapping[str, NDArray[np.float64]]) -> None:
    for found in results.values():
        np.testing.assert_allclose(found, results[HOST], rtol=1e-8, atol=1e-8)


def all_metrics() -> Comparison:
    data = batches()
    return Comparison(variants={HOST: lambda: on_host(data), DEVICE: lambda: on_device(data)}, check=same)


def without_ranks() -> Comparison:
    data = batches()
    variants = {
        HOST: lambda: on_host(data, ranks=False),
        DEVICE: lambda: on_device(data, ranks=False),
        STREAMED: lambda: streamed(data),
    }
    return Comparison(variants=variants, check=same)


def counts() -> Mapping[str, float]:
    data, found = batches(), {}
    for name, run in ((HOST, on_host), (DEVICE, on_device), (STREAMED, streamed)):
        with Spy() as spy:
            run(data)
        found[f"transfers and reads, {name}"] = spy.transfers + spy.reads
    return found


def judge(seen: Evidence) -> Judgement:
    exact, sums = seen.ratio(ALL, DEVICE), seen.ratio(SUMS, STREAMED)
    if not seen.has_cuda:
        ruling = Ruling.NO_CUDA
    else:
        ruling = Ruling.HOLDS if exact.low >= 1.05 else Ruling.FAILS if exact.high < 1.05 else Ruling.UNCLEAR
    before, after = (seen.count(f"transfers and reads, {name}") for name in (HOST, DEVICE))
    direction = (
        "slower"
        if seen.is_slower(ALL, DEVICE)
        else "faster"
        if seen.is_faster(ALL, DEVICE)
        else "not proven to be faster"
    )
    return Judgement(
        ruling=ruling,
        measured=f"{digits(before)} transfers and reads become {digits(after)}, equal to 1e-8; time on this "
        f"{'GPU' if seen.has_cuda else 'CPU'}: exact RankIC {times(exact)}, running sums without RankIC {times(sums)}",
        why=f"What it saves is waiting for a GPU. Here keeping everything for the exact RankIC is {direction}, because "
        "its sorts and scatters take the time; sums that replace the lists are another matter.",
    )


CLAIM = Claim(
    item="5",
    title="cpu().numpy() in validation",
    text="Validation spends much of its time on moving every batch to the host.",
    figure="5-15 % of validation, in 50 and more places",
    judge=judge,
    sizes={ALL: all_metrics, SUMS: without_ranks},
    counts=counts,
    needs_cuda=True,
)
