import pytest
import torch
from torch import nn

from hotloop.diagnose.phase_times import PhaseTimes
from hotloop.diagnose.probes.gradients import GradientProbe

from ..conftest import probe_steps


def codes(context, step):
    probe = GradientProbe(context)
    probe_steps(probe, step, steps=2)
    return [f.code for f in probe.report(PhaseTimes(ordinary={"other": 1.0})).findings]


@pytest.mark.parametrize(("gradient", "code"), [(float("nan"), "OP05"), (0.0, "OP05"), (None, "OP07"), (1.0, None)])
def test_sick_gradients_are_told(context, training, gradient, code):
    weight = nn.Parameter(torch.ones(3))
    weight.grad = None if gradient is None else torch.full((3,), gradient)
    step = torch.optim.SGD([weight], lr=0.1).step
    assert codes(context, step) == ([] if code is None else [code])


def test_a_gradient_that_explodes_from_one_batch_to_the_next_is_told(context, training):
    weight = nn.Parameter(torch.ones(3))
    optimizer = torch.optim.SGD([weight], lr=0.0)

    def step():
        weight.grad = torch.ones(3) if weight.grad is None else 1e4 * weight.grad
        optimizer.step()

    assert codes(context, step) == ["OP03"]
