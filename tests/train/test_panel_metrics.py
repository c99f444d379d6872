import numpy as np
import pytest
import torch
from scipy.stats import pearsonr, spearmanr
from torch.utils._python_dispatch import TorchDispatchMode

from hotloop.train.panel_metrics import PanelMetrics

HORIZONS, LEVELS = (1, 5), 3


def make_day(rng, day, size, ties):
    point = rng.normal(size=(size, 2, LEVELS))
    point.sort(axis=-1)
    target = rng.normal(size=(size, 2)) + 0.3 * point[:, :, 1]
    if ties:
        target, point = np.round(target), np.round(point)
    target[rng.random((size, 2)) < 0.1] = np.nan
    return day, point, target


@pytest.fixture(params=[False, True], ids=["values", "ties"])
def panel(request):
    rng = np.random.default_rng(0)
    return [make_day(rng, day, size, request.param) for day, size in enumerate([40, 1, 25, 2, 60, 33, 17, 8, 90, 50])]


def update(metrics, days):
    sizes = [len(target) for _, _, target in days]
    metrics.update(
        torch.from_numpy(np.concatenate([point for _, point, _ in days])),
        torch.from_numpy(np.concatenate([target for *_, target in days])),
        group_N=torch.from_numpy(np.repeat(np.arange(len(days)), sizes)),
        num_groups=len(days),
        day_N=torch.from_numpy(np.repeat([day for day, *_ in days], sizes)),
    )


def of_days(days, horizon, figure):
    found = []
    for _, point, target in days:
        known = np.isfinite(target[:, horizon])
        p, t = point[known, horizon, 1], target[known, horizon]
        if known.sum() >= 2 and p.std() > 0 and t.std() > 0:
            found.append(figure(p, t))
    return np.array(found)


@pytest.mark.filterwarnings("ignore:An input array is nearly constant")
def test_correlations_are_scipys_whatever_the_batches(panel):
    for cut in (1, 3, 10):
        metrics = PanelMetrics(HORIZONS)
        for first in range(0, 10, cut):
            update(metrics, panel[first : first + cut])
        for index, found in enumerate(metrics.compute().values()):
            assert found.ic == pytest.approx(of_days(panel, index, lambda p, t: pearsonr(p, t)[0]).mean())
            assert found.rank_ic == pytest.approx(of_days(panel, index, lambda p, t: spearmanr(p, t)[0]).mean())


def test_sharpe_hit_rate_and_coverage_are_numpys(panel):
    metrics = PanelMetrics(HORIZONS)
    update(metrics, panel)
    for index, (horizon, found) in enumerate(metrics.compute().items()):
        earned = []
        for _, point, target in panel:
            known = np.isfinite(target[:, index])
            centred = point[known, index, 1] - point[known, index, 1].mean() if known.any() else np.zeros(0)
            if known.sum() >= 2 and np.abs(centred).sum() > 0:
                earned.append((centred / np.abs(centred).sum() * target[known, index]).sum())
        points, targets = (np.concatenate([day[part] for day in panel])[:, index] for part in (1, 2))
        known = np.isfinite(targets)
        moved = known & (targets != 0)
        assert found.sharpe == pytest.approx(np.mean(earned) / np.std(earned, ddof=1) * np.sqrt(252 / horizon))
        assert found.hit_rate == pytest.approx(np.mean(np.sign(points[moved, 1]) == np.sign(targets[moved])))
        assert found.coverage == pytest.approx((targets[known, None] <= points[known]).mean(axis=0))


def test_the_interval_holds_the_mean_and_is_wider_where_targets_overlap(panel):
    metrics = PanelMetrics(HORIZONS)
    update(metrics, panel)
    for found in metrics.compute().values():
        if np.isfinite(found.ic_low):
            assert found.ic_low < found.ic < found.ic_high


def test_days_without_a_correlation_are_left_out():
    metrics = PanelMetrics((1,))
    update_of = torch.zeros(3, 1, 1)
    metrics.update(
        update_of, torch.ones(3, 1), group_N=torch.tensor([0, 0, 1]), num_groups=2, day_N=torch.tensor([7, 7, 8])
    )
    found = metrics.compute()[1]
    assert found.days == 0
    assert np.isnan([found.ic, found.rank_ic, found.ic_low, found.sharpe]).all()


def test_a_day_in_two_pieces_and_no_day_at_all_are_refused(panel):
    metrics = PanelMetrics(HORIZONS)
    with pytest.raises(ValueError, match="call update first"):
        metrics.compute()
    update(metrics, panel[:2])
    update(metrics, panel[1:3])
    with pytest.raises(ValueError, match="1 days came in two pieces"):
        metrics.compute()


class HostReads(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += function.name() in (
            "aten::_local_scalar_dense",
            "aten::nonzero",
            "aten::equal",
            "aten::is_nonzero",
        )
        return function(*args, **(kwargs or {}))


def test_nothing_is_read_before_the_end(panel):
    metrics = PanelMetrics(HORIZONS)
    with HostReads() as reads:
        update(metrics, panel)
    assert reads.count == 0
