"""The transform in a watched run: its steps are followed and judged like any other's."""

import pytest

from hotloop.errors import NotApplicable
from hotloop.transform import Plan
from hotloop.transforms.captured_loop import CapturedLoop
from hotloop.verify.drift import DriftGate
from hotloop.worker.process import Settings


@pytest.mark.parametrize("name", ["loops/tiny_mlp", "loops/tabular"])
def test_the_gates_see_the_same_training(name, forked, program, tmp_path):
    gate = DriftGate(program(name), Settings(folder=tmp_path), steps=10)
    result = gate.check(Plan((CapturedLoop(),)))
    assert all(verdict.passed for verdict in result.verdicts), [str(verdict) for verdict in result.verdicts]


def test_without_a_captured_step_it_says_so():
    with pytest.raises(NotApplicable, match=r"no (statements|step)"):
        CapturedLoop().confirm()
