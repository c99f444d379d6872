import math

import pytest
import torch

from hotloop.errors import WorkloadError
from hotloop.train.metrics import Meter
from hotloop.workload import Loss


def report(*losses):
    meter = Meter()
    for loss in losses:
        meter.add(loss)
    return meter.read().report()


def test_batches_weigh_as_many_items_as_they_hold():
    got = report(Loss(torch.tensor(1.0), 3), Loss(torch.tensor(5.0), torch.tensor(1)))
    assert (got.loss, got.count, got.steps) == (2.0, 4.0, 2)


def test_values_that_are_not_finite_are_counted_and_left_out():
    got = report(Loss(torch.tensor(math.nan), 3), Loss(torch.tensor(math.inf), 1), Loss(torch.tensor(2.0), 1))
    assert (got.loss, got.count, got.num_nonfinite) == (2.0, 1.0, 2)


def test_a_metric_that_is_not_finite_leaves_the_loss_alone():
    got = report(Loss(torch.tensor(1.0), 1, {"a": torch.tensor(math.nan), "b": torch.tensor(4.0)}))
    assert (got.loss, got.metrics["b"], got.num_nonfinite_metrics) == (1.0, 4.0, {"a": 1, "b": 0})
    assert math.isnan(got.metrics["a"])


def test_many_small_values_add_up_in_float64():
    losses = [Loss(torch.tensor(0.1), 1)] * 100_000
    assert report(*losses).loss == pytest.approx(float(torch.tensor(0.1)), rel=1e-12)


def test_reading_starts_again_from_nothing():
    meter = Meter()
    meter.add(Loss(torch.tensor(1.0), 1))
    meter.read()
    assert meter.read().report().steps == 0


def test_metrics_that_come_and_go_are_an_error():
    with pytest.raises(WorkloadError, match="same names"):
        report(Loss(torch.tensor(1.0), 1, {"a": torch.tensor(1.0)}), Loss(torch.tensor(1.0), 1))
