"""The transform in a watched run: its steps are followed and judged like any other's."""

from pathlib import Path

import pytest

from hotloop.errors import NotApplicable
from hotloop.transform import Plan
from hotloop.transforms.captured_loop import CapturedLoop
from hotloop.verdict import Outcome
from hotloop.verify.drift import DriftGate
from hotloop.worker.observation import watch
from hotloop.worker.process import Settings
from hotloop.worker.spec import ObservationSpec
from hotloop.workload import parse_workload

PLAN = Plan((CapturedLoop(),))
SLICES = """
import torch
from torch import nn

torch.manual_seed(0)
table = torch.randn(16, 400)
net = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(net.parameters())
for at in range(0, 392, 8):
    x = table[:, at : at + 8]
    loss = net(x).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


@pytest.mark.parametrize("name", ["loops/tiny_mlp", "loops/tabular", "loops/dqn", "loops/gan"])
def test_the_gates_see_the_same_training(name, forked, program, tmp_path):
    """In dqn a target network moves behind the step, in gan one graph has two losses and two steps."""
    gate = DriftGate(program(name), Settings(folder=tmp_path), steps=10)
    result = gate.check(PLAN)
    assert all(verdict.passed for verdict in result.verdicts), [str(verdict) for verdict in result.verdicts]
    assert "captured_loop" not in result.verdicts[0].message  # it would say that no step ran as a graph


def test_a_run_is_watched_as_graphs_and_their_rounding_shows(forked, program, tmp_path):
    spec = ObservationSpec(steps=12, seed=0)
    plain, captured = watch(program("loops/gan"), [(Plan(), spec), (PLAN, spec)], Settings(folder=tmp_path))
    assert captured.not_applied == {}
    assert captured.losses[:4] == plain.losses[:4]
    assert captured.losses != plain.losses
    assert captured.losses == pytest.approx(plain.losses, rel=1e-5)


def test_the_optimizer_of_the_next_fold_leads_from_its_first_step(forked, tmp_path):
    """A graph that outlives its fold would keep the old optimizer, and 63 steps of the new one would not count."""
    workload = parse_workload("loops.py", ("folds",), folder=Path(__file__).parents[1] / "cases")
    spec = ObservationSpec(steps=30, seed=0)  # of which a fold has 21
    plain, captured = watch(workload, [(Plan(), spec), (PLAN, spec)], Settings(folder=tmp_path / "session"))
    assert captured.not_applied == {}
    assert captured.positions == plain.positions
    assert captured.losses == pytest.approx(plain.losses, rel=1e-4)


def test_a_batch_that_is_a_slice_of_columns_is_compared_on_copies_of_its_strides(forked, tmp_path):
    (tmp_path / "slices.py").write_text(SLICES)
    (captured,) = watch(
        parse_workload("slices.py", (), folder=tmp_path),
        [(PLAN, ObservationSpec(steps=12, seed=0))],
        Settings(folder=tmp_path / "session"),
    )
    assert captured.not_applied == {}


def test_where_no_step_ran_as_a_graph_nothing_was_looked_at(forked, tmp_path):
    workload = parse_workload("unfreezing.py", (), folder=Path(__file__).parents[1] / "cases")
    result = DriftGate(workload, Settings(folder=tmp_path), steps=12).check(PLAN)
    first = result.verdicts[0]
    assert first.outcome is Outcome.INCONCLUSIVE
    assert "nothing of the plan acted in the steps that were watched: captured_loop: no step has run" in first.message


def test_without_a_captured_step_it_says_so():
    with pytest.raises(NotApplicable, match=r"no (statements|step)"):
        CapturedLoop().confirm()
