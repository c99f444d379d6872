import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hotloop.train import TrainingPhase
from hotloop.train.phases.loss_anomalies import Divergence, Spike
from hotloop.train.phases.loss_history import LossHistory, LossHistoryConfig

FULL, PREDICT = TrainingPhase.FULL, TrainingPhase.PREDICT


def history(losses, **config):
    made = LossHistory(LossHistoryConfig(**config), clock=iter(range(100_000)).__next__)
    for loss in losses:
        made.record(loss, FULL)
    return made


def test_vectors_of_the_statistics() -> None:
    assert history(range(1, 11)).rolling_average(5) == 8
    assert history([10 - 0.5 * i for i in range(10)]).improvement_rate(10) == pytest.approx(-0.45)
    figures = history([1, 2, 3, 4, 5]).compute_statistics()
    assert (figures.variance, figures.median, figures.minimum, figures.maximum, figures.count) == (2, 3, 1, 5, 5)


def test_vectors_of_the_anomalies() -> None:
    (found,) = history([1.0] * 20 + [10.0]).detect_anomalies(20)
    assert found == Spike(step=20, z_score=pytest.approx(math.sqrt(19)))
    assert history([1.0] * 20 + [2.0] * 20).detect_anomalies(20) == [Divergence(step=20, ratio=2.0)]


def test_defect_15_a_divergence_names_where_it_began() -> None:
    assert history([1.0] * 30 + [2.0] * 20).detect_anomalies(20)[-1].step == 30


@settings(deadline=None)
@given(st.integers(2, 60), st.floats(-100, 100))
def test_defect_15_a_flat_loss_never_converges(window, loss) -> None:
    assert not history([loss] * 60).is_converging(window, 0.01)


def test_an_odd_window_leaves_its_middle_out() -> None:
    assert not history([1.0, 1.0, 0.0, 1.0, 1.0]).is_converging(5, 0.01)
    assert history([2.0, 2.0, 9.0, 1.0, 1.0]).is_converging(5, 0.4)


@settings(deadline=None)
@given(st.integers(3, 10))
def test_defect_15_a_small_window_can_report_a_spike(window) -> None:
    losses = [1.0 + 0.01 * (-1) ** i for i in range(30)]
    assert history([*losses, 10.0]).detect_anomalies(window)[0].step == 30
    assert not [found for found in history(losses).detect_anomalies(window) if isinstance(found, Spike)]


def test_defect_15_equal_losses_have_no_spike_and_no_window_is_refused() -> None:
    assert history([1.0] * 30).detect_anomalies(10) == []
    for ask in ("rolling_average", "rolling_variance", "compute_statistics", "improvement_rate", "detect_anomalies"):
        with pytest.raises(ValueError, match="window"):
            getattr(history([1.0] * 30), ask)(0)


def test_too_few_losses_have_no_figures() -> None:
    short = history([1.0, 2.0])
    assert short.rolling_average(3) is short.rolling_variance(3) is short.improvement_rate(3) is None
    assert not short.is_converging(3, 0.1)
    assert short.detect_anomalies(2) == []
    assert short.compute_statistics(3).count == 2
    assert history([]).compute_statistics() is history([]).current_loss is None
    assert history([0.0, 1.0]).improvement_rate(2) is None


def test_losses_are_kept_by_phase_and_within_the_limit() -> None:
    made = history([], max_history=3)
    for step, phase in enumerate([FULL, PREDICT, FULL, TrainingPhase.WARMUP]):
        made.record(float(step), phase)
    assert len(made) == 3
    assert list(made.phase_summary()) == [TrainingPhase.WARMUP, FULL, PREDICT]
    assert [entry.step for entry in made.of_phase(FULL)] == [2]
    rows = json.loads(made.to_json())
    assert rows[0] == {"step": 1, "loss": 1.0, "phase": "PREDICT"}
    made.clear()
    assert len(made) == 0


def test_time_is_that_of_the_clock() -> None:
    made = history([3.0])
    assert made.measurements[0].elapsed == 1
    assert made.elapsed_time == 2


def test_a_tensor_is_read_when_asked_for() -> None:
    loss = torch.tensor(1.0)
    made = history([loss])
    loss.fill_(2.0)
    assert made.current_loss == 2.0


@pytest.mark.parametrize("wrong", [{"max_history": 0}, {"spike_threshold": 0.0}, {"divergence_threshold": 1.0}])
def test_settings_are_checked(wrong) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LossHistoryConfig(**wrong)
