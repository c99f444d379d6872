"""CO11: the validator that compiled models are given to, one `allclose` and one timing, beside the gates."""

import faults
import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.compare import simulate
from hotloop.transform import Promise
from hotloop.verdict import Outcome
from hotloop.verify.equivalence import check_equivalence
from hotloop.verify.fresh_job import fresh_job
from models import recipe

FP32, BF16 = 2.0**-24, 2.0**-9


def one_tolerance(change):
    """The naive validator: outputs of both in eval mode, `allclose` with a relative tolerance of 1e-5."""
    outputs = []
    for prepare in (faults.nothing, change):
        job = fresh_job(recipe("mlp"), prepare=prepare, silent=False)
        rows = torch.cat([rows for rows, _ in job.batches])  # some of the outputs are near zero, as always
        with torch.no_grad():
            outputs.append(job.model.eval()(rows))
    return torch.allclose(*outputs, rtol=1e-5)


def gate(change, roundoff):
    return check_equivalence(recipe("mlp"), change, promise=Promise.CLOSE, roundoff=roundoff)


def summed_in_another_order(job):
    """What any compiler does: products of the last layer are summed in two halves."""
    last = [module for module in job.model.modules() if isinstance(module, nn.Linear)][-1]

    def forward(x):
        half = x.shape[-1] // 2
        right = nn.functional.linear(x[..., half:], last.weight[:, half:])
        return nn.functional.linear(x[..., :half], last.weight[:, :half], last.bias) + right

    last.forward = forward


@pytest.mark.parametrize(
    ("change", "roundoff"), [(summed_in_another_order, FP32), (faults.bf16_autocast, BF16)], ids=["fp32", "bf16"]
)
def test_one_tolerance_refuses_what_is_sound(change, roundoff):
    assert not one_tolerance(change)
    assert gate(change, roundoff).passed


@pytest.mark.parametrize("fault", [faults.scaled_gradients, faults.frozen_parameter, faults.dropout_zero])
def test_one_tolerance_on_outputs_lets_through_what_trains_another_model(fault):
    assert one_tolerance(fault)
    found = gate(fault, FP32)
    assert found.outcome is Outcome.FAIL
    assert found.message


def test_the_gate_reports_the_error_of_each_quantity_beside_what_is_allowed():
    numbers = gate(summed_in_another_order, FP32).numbers
    quantities = [name for name in numbers if f"{name} allowed" in numbers]
    assert len(quantities) >= 3
    assert all(0 <= numbers[name] <= numbers[f"{name} allowed"] for name in quantities)


def one_timing(level, *, slow_down, series=400):
    """The share of validations that pass: the baseline's mean time over the candidate's, once each, at least 0.95."""
    times = simulate.step_seconds(simulate.LEVELS[level], series, 1, np.random.default_rng(3))
    means = times.mean(axis=(1, 3, 4))
    return float((means[:, 0] / (means[:, 2] * (1 + slow_down)) >= 0.95).mean())


def test_one_timing_refuses_equal_programs_and_passes_slow_ones_and_pairs_do_neither():
    assert one_timing("9%", slow_down=0.0) < 0.85
    assert one_timing("9%", slow_down=0.1) > 0.25
    found = simulate.simulated(simulate.LEVELS["9%"], series=400, seed=3)
    equal = simulate.rates(found)
    slow = simulate.rates([one.with_effect(1 / 1.1) for one in found])
    assert equal["faster"] + equal["slower"] <= 0.01
    assert slow["faster"] == 0.0
