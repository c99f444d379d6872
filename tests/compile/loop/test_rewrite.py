"""Regions found in source alone: their lines, what goes in and comes out, what is moved, and what refuses."""

import textwrap

import pytest

from hotloop.compile.loop.rewrite import rewrite

HEAD = """
import torch
from torch import nn
model = nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
total, steps, losses = 0.0, 0, []
"""


def cut(body: str):
    """Regions and refusals of a script whose loop is `body`; its first line is line 8."""
    source = (
        HEAD
        + "for x, y in [(torch.ones(3, 2), torch.ones(3, 1))] * 3:\n"
        + textwrap.indent(textwrap.dedent(body), "    ")
    )
    return rewrite(source, "script.py", first=0)


PLAIN = "optimizer.zero_grad()\nloss = (model(x) - y).square().mean()\nloss.backward()\noptimizer.step()\n"


def test_the_batch_goes_in_and_what_is_read_later_comes_out():
    _, (region,), refusals = cut(PLAIN + "print(loss)\n")
    assert (region.line, region.last_line, refusals) == (8, 11, [])
    assert (region.arguments, region.outputs) == (("x", "y"), ("loss",))


def test_what_nobody_reads_does_not_come_out():
    _, (region,), _ = cut(PLAIN)
    assert region.outputs == ()


def test_a_host_read_between_is_moved_behind():
    code, (region,), _ = cut(PLAIN.replace("loss.backward()", "total += loss.item()\nloss.backward()"))
    assert (region.line, region.last_line, region.outputs) == (8, 12, ("loss",))
    assert code is not None


@pytest.mark.parametrize("effect", ["steps += 1", "losses.append(0)", "print(steps)"])
def test_python_effects_stay_outside(effect):
    _, (region,), _ = cut(f"{effect}\n{PLAIN}{effect}\n")
    assert (region.line, region.last_line) == (9, 12)


@pytest.mark.parametrize(
    ("between", "words"),
    [
        ("if loss.item() > 9:\n    break", ".item() reads a value"),
        ("assert x.sum() > 0", "assert is no computation"),
        ("record(loss.item())", ".item() reads a value"),
    ],
)
def test_what_must_happen_between_model_and_step_refuses_with_its_line(between, words):
    _, regions, refusals = cut(PLAIN.replace("loss.backward()", f"{between}\nloss.backward()"))
    assert regions == []
    assert refusals[0].line == 10
    assert words in refusals[0].reason


def test_a_name_that_only_a_branch_reads_must_be_bound():
    step = PLAIN.replace("loss.backward()", "if steps > 1:\n    loss = loss + extra\nloss.backward()")
    _, regions, refusals = cut(step + "extra = loss.detach()\n")
    assert regions == []
    assert "extra may not be bound" in refusals[0].reason


def test_a_branch_on_a_counter_is_asked_before():
    branch = "if steps % 2 == 0:\n    optimizer.step()\n    optimizer.zero_grad()\nsteps += 1\n"
    _, (region,), _ = cut("loss = model(x).mean()\nloss.backward()\n" + branch)
    assert region.num_tests == 1
    assert "steps" not in region.arguments


def test_a_scheduler_is_outside():
    _, (region,), _ = cut(PLAIN + "scheduler.step()\n")
    assert region.last_line == 11


def test_methods_of_a_trainer_and_functions_that_make_one_step():
    source = """
class Trainer:
    def fit(self):
        for batch in self.loader:
            self.optimizer.zero_grad()
            loss = self.model(batch).mean()
            loss.backward()
            self.optimizer.step()
            self.seen.append(loss.item())

def learn(agent, optimizer, batch):
    loss = agent(batch).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss
"""
    _, regions, refusals = rewrite(source, "trainer.py", first=0)
    assert sorted((r.line, r.arguments, r.outputs) for r in regions) == [
        (5, ("batch", "self"), ("loss",)),
        (12, ("agent", "batch", "optimizer"), ("loss",)),
    ]
    assert refusals == []


def test_code_at_the_top_of_a_file_runs_once_and_is_left():
    assert rewrite(HEAD + "x = torch.ones(3, 2)\ny = 0\n" + PLAIN, "script.py", first=0) == (None, [], [])


def test_lines_stay_where_they_are():
    code, _, _ = cut(PLAIN + "raise ValueError(loss)\n")
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # its line is looked at
        exec(code, {"__hotloop_region_0__": lambda *_: False})
    assert caught.traceback[-1].lineno + 1 == 12
