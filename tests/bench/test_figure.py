import math

import pytest

from hotloop.bench.figure import Figure
from hotloop.errors import MeasurementError


def test_the_figure_is_the_geometric_mean_of_its_replicates():
    figure = Figure(samples=((0.1,) * 12, (0.4,) * 12))
    assert figure.seconds == pytest.approx(0.2)
    assert figure.interval.low < 0.2 < figure.interval.high


def test_a_single_slow_step_does_not_move_the_figure():
    samples = (0.1,) * 11
    assert Figure(samples=((*samples, 5.0),)).seconds == pytest.approx(0.1)


def test_one_replicate_bounds_nothing_between_processes_and_its_own_steps_inside():
    figure = Figure(samples=(tuple(0.1 + 0.001 * (step % 4) for step in range(61)),))
    assert (figure.interval.low, figure.interval.high) == (0.0, math.inf)
    assert 0.1 < figure.interval_inside.low < figure.seconds < figure.interval_inside.high < 0.104


def test_percentiles_and_counts_are_of_all_samples():
    figure = Figure(samples=(tuple(range(1, 51)), tuple(range(51, 101))))
    assert (figure.percentile(5), figure.median, figure.percentile(95), figure.num_samples) == (5, 50.5, 95, 100)


@pytest.mark.parametrize("samples", [(), ((),), ((0.1,), ())])
def test_a_figure_without_samples_is_refused(samples):
    with pytest.raises(MeasurementError, match="without samples"):
        Figure(samples=samples)
