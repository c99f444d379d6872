"""Traps of panel items 5 and 10: ties, NaN masks, empty columns; days of uneven sizes and of one sample."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata, spearmanr

from benchmarks.claims.grouped_losses import BY_DAY, looped, pinball_at_once, pinball_looped, segmented
from benchmarks.claims.panel_05_metrics import average_ranks, device_metrics, host_metrics
from benchmarks.claims.panel_10_concatenation import FOUND, collecting, same, with_gradient
from benchmarks.claims.spies import Spy

NUMBERS = st.one_of(st.integers(-3, 3).map(float), st.floats(-100, 100, width=32), st.just(float("nan")))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(-4, 4), min_size=1, max_size=30))
def test_ranks_are_those_of_scipy_with_ties_averaged(values: list[int]) -> None:
    ranks = average_ranks(torch.tensor(values, dtype=torch.float64)[:, None])[:, 0]
    np.testing.assert_allclose(ranks.numpy(), rankdata(values))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=40))
def test_rank_ic_is_that_of_scipy_over_finite_pairs(pairs: list[tuple[float, float]]) -> None:
    values = torch.tensor(pairs, dtype=torch.float64)
    found = float(device_metrics(values[:, :1], values[:, 1:])[3, 0])
    kept = values[values.isfinite().all(1)].numpy()
    if len(kept) < 2 or any(len(set(column.tolist())) < 2 for column in kept.T):
        assert np.isnan(found)
    else:
        assert found == pytest.approx(spearmanr(kept[:, 0], kept[:, 1]).statistic, abs=1e-8)


def test_all_metrics_are_those_of_the_host() -> None:
    generator = np.random.default_rng(0)
    prediction, target = generator.standard_normal((2, 500))
    found = device_metrics(torch.tensor(prediction)[:, None], torch.tensor(target)[:, None])[:, 0]
    np.testing.assert_allclose(found.numpy(), host_metrics(prediction, target, ranks=True), rtol=1e-10)


def test_nothing_finite_gives_nan_and_no_error() -> None:
    empty = torch.empty(0, 2)
    assert device_metrics(empty, empty).isnan().all()
    nothing = torch.full((5, 2), torch.nan)
    assert device_metrics(nothing, nothing).isnan().all()


def test_metrics_on_the_device_read_nothing() -> None:
    values = torch.randn(50, 4)
    with Spy() as spy:
        device_metrics(values, values + 1)
    assert spy.reads == spy.transfers == 0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.integers(0, 10_000))
def test_losses_and_gradients_by_segment_equal_those_by_loop(sizes: list[int], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    day = torch.cat([torch.full((size,), number) for number, size in enumerate(sizes)])
    day = day[torch.randperm(len(day), generator=generator)]
    prediction, target = torch.randn(2, len(day), generator=generator, dtype=torch.float64)
    found = with_gradient(segmented, prediction, target, day, len(sizes))
    expected = with_gradient(looped, prediction, target, day)
    torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-8)


def test_days_of_one_sample_give_finite_losses_and_gradients() -> None:
    prediction, target = torch.randn(2, 5)
    values, gradient = with_gradient(segmented, prediction, target, torch.arange(5), 5)
    assert len(values) == len(BY_DAY)
    assert values.isfinite().all()
    assert gradient.isfinite().all()
    torch.testing.assert_close((values, gradient), with_gradient(looped, prediction, target, torch.arange(5)))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 20), st.lists(st.floats(0.01, 0.99), min_size=1, max_size=6), st.integers(0, 10_000))
def test_pinball_at_once_equals_one_quantile_after_the_other(samples: int, quantiles: list[float], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    prediction = torch.randn(samples, len(quantiles), generator=generator, dtype=torch.float64)
    target = torch.randn(samples, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(
        with_gradient(pinball_at_once, prediction, target, torch.tensor(quantiles, dtype=torch.float64)),
        with_gradient(pinball_looped, prediction, target, tuple(quantiles)),
    )


def test_pieces_are_collected_alike() -> None:
    comparison = collecting(7, 5)
    results = {name: run() for name, run in comparison.variants.items()}
    same(results)
    assert results[FOUND].shape == (35,)


def test_the_spy_sees_each_kind_of_host_read() -> None:
    values = torch.arange(6.0)
    reads = (
        lambda: values.sum().item(),
        lambda: bool(values.sum() > 0),
        lambda: values[values > 2],
        values.nonzero,
        values.unique,
        values.tolist,
    )
    for read in reads:
        with Spy() as spy:
            read()
        assert spy.reads == 1
    with Spy() as spy:
        (values * 2).sum()
        values[[0, 1]]
    assert spy.reads == 0
