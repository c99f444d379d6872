import pytest

from hotloop.guard.counting import StepInstructions
from hotloop.guard.counts import Counts
from hotloop.guard.instructions import instructions_metric
from hotloop.guard.limits import DEFAULTS, GuardSettings, Limit
from hotloop.verdict import Outcome

LIMITED = GuardSettings(limits={**DEFAULTS, "instructions": Limit(relative=0.01)})


def run(instructions, why=""):
    return Counts(
        steps=60,
        read_steps=20,
        graphs=0,
        compile_seconds=0.0,
        graph_breaks=(),
        recompiles=(),
        reads={},
        operators={},
        instructions=instructions,
        no_instructions=why,
    )


def test_the_fewest_of_each_side_are_compared():
    metric = instructions_metric([run(1000.0), run(1200.0)], [run(1300.0), run(1005.0)], LIMITED)
    assert (metric.verdict, metric.base, metric.head) == (Outcome.PASS, 1000.0, 1005.0)
    metric = instructions_metric([run(1000.0), run(1200.0)], [run(1300.0), run(1050.0)], LIMITED)
    assert metric.verdict is Outcome.FAIL
    assert "more, 1000 -> 1050" in metric.message


def test_without_a_limit_they_are_shown_and_never_fail():
    metric = instructions_metric([run(1000.0)], [run(9000.0)], GuardSettings())
    assert (metric.verdict, metric.ratio) == (Outcome.PASS, 9.0)


@pytest.mark.parametrize("sides", [(run(None, "no counter"), run(1.0)), (run(1.0), run(None, "no counter"))])
def test_what_was_not_counted_passes_no_limit(sides):
    base, head = sides
    assert instructions_metric([base], [head], GuardSettings()) is None
    for asked in (LIMITED, GuardSettings(metrics=("instructions",))):
        metric = instructions_metric([base], [head], asked)
        assert metric.verdict is Outcome.INCONCLUSIVE
        assert "no counter" in metric.message


def test_the_later_half_of_the_steps_counts(monkeypatch):
    counts = iter([0, 900, 1800, 1900, 2000, 2100])
    monkeypatch.setattr("hotloop.guard.counting.PerfCounter", lambda: Reading(counts))
    steps = StepInstructions()
    assert steps.data() == {"instructions": None, "no_instructions": "fewer than two steps were made"}
    for _ in range(6):
        steps.step()
    assert steps.data() == {"instructions": 100, "no_instructions": ""}


class Reading:
    def __init__(self, counts):
        self.read = counts.__next__
