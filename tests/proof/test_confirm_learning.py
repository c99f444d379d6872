"""Gate 3 where the truth is known: programs whose loss falls as fast as written here, and one real program."""

import random
from types import SimpleNamespace

import numpy as np
import pytest

from hotloop.errors import NotApplicable
from hotloop.measurement import Clock
from hotloop.proof.confirm_learning import confirm_learning
from hotloop.proof.prove import prove
from hotloop.proof.session import Options
from hotloop.transform import Plan
from hotloop.verdict import Outcome

PHASES = Plan.from_data([{"name": "phases"}])


class Bench:
    """Stands where a session and its machine would; time passes with each run."""

    def __init__(self) -> None:
        self.elapsed = 0.0
        self.notes, self.blocks = [], []
        self.order = random.Random(0)
        self.clock, self.workload, self.settings = Clock.WALL, None, None
        self.options = Options(budget=100.0)
        self.progress = SimpleNamespace(say=lambda line: None)
        self.recorder = SimpleNamespace(block=lambda title, block: self.blocks.append(block))

    def watch_load(self) -> None:
        pass

    def note(self, line: str) -> None:
        self.notes.append(line)


@pytest.fixture
def confirmed():
    """The verdicts on `phases`, where the loss falls at these rates a step; `step` is what its step takes."""

    def judge(*, plan: float, step: float = 0.01, controls: float = 0.02, budget: float = 100.0, refuses: str = ""):
        bench = Bench()

        def run(_workload, chosen, _settings, *, seed, steps, seconds):
            bench.elapsed += 1.0
            names = {transform.name for transform in chosen.transforms}
            if refuses and "phases" in names:
                raise NotApplicable(refuses)
            rate = plan if "phases" in names else controls if "learning_rate" in names else 0.02
            return turn(rate, step if "phases" in names else 0.01, seed=seed + 1000 * len(names), steps=steps or 200)

        parity, found = confirm_learning(bench, PHASES, title="prove", seconds=budget, run=run)
        return bench, parity, found

    return judge


def turn(rate: float, step: float, *, seed: int, steps: int) -> SimpleNamespace:
    draws = np.random.default_rng(seed)
    losses = np.exp(-rate * np.arange(steps)) + 0.05 + 0.01 * draws.standard_normal(steps)
    wall = (step * draws.uniform(0.99, 1.01, steps)).tolist()
    figures = {"backward_ratio": 1.75}
    return SimpleNamespace(wall=wall, cpu=wall, cuda=(), losses=losses.tolist(), figures=figures)


def test_what_learns_sooner_than_any_larger_learning_rate_is_proven_with_its_table(confirmed) -> None:
    bench, parity, found = confirmed(plan=0.04)
    assert (parity.outcome, found.verdict.outcome, found.method) == (Outcome.PASS, Outcome.PASS, "time to target")
    assert 1.6 < found.speedup.ratio < 2.4
    table = "\n".join(bench.notes)
    assert table.count("met by all plain runs within") == 3
    assert "counted under the plan, which is no speed: backward ratio 1.75" in table
    assert len(bench.blocks) == 16


def test_a_gain_that_a_larger_learning_rate_gives_as_well_is_not_the_plans(confirmed) -> None:
    bench, _, found = confirmed(plan=0.03, controls=0.03)
    assert found.verdict.outcome is Outcome.FAIL
    assert "a larger learning rate gives the same: learning rate x 1.5 alone" in found.verdict.message
    assert any("learning rate of the program is not tuned" in note for note in bench.notes)


def test_faster_steps_that_learn_less_are_never_proven(confirmed) -> None:
    _, parity, found = confirmed(plan=0.009, step=0.006)
    assert (parity.outcome, found.verdict.outcome) == (Outcome.FAIL, Outcome.FAIL)


def test_too_little_time_for_four_runs_is_inconclusive(confirmed) -> None:
    _, parity, found = confirmed(plan=0.04, budget=5.0)
    assert {parity.outcome, found.verdict.outcome} == {Outcome.INCONCLUSIVE}
    assert "larger --budget" in found.verdict.message


def test_a_plan_that_changes_nothing_does_not_apply(confirmed) -> None:
    _, parity, found = confirmed(plan=0.04, refuses="no optimizer has stepped")
    assert (parity.gate, parity.outcome, found.verdict) == ("applies", Outcome.FAIL, None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"name": "phases"}, "time to target over"),
        (
            {
                "name": "phases",
                "predictor": "hold",
                "full_steps": 1,
                "predict_steps": 1,
                "correct_every": 0,
                "guard": False,
            },
            "learning rate of the program is not tuned",
        ),
    ],
)
def test_predicted_gradients_on_batches_are_not_proven(program, tmp_path, table, words) -> None:
    rate = "0.01" if "predictor" not in table else "0.0002"  # tuned, and a tenth of what it should be
    options = Options(budget=240.0, steps=12, history=f"sqlite:///{tmp_path}/history.sqlite")
    result = prove(program("classes", rate, "6"), Plan.from_data([table]), options=options)
    assert result.verdict is not Outcome.PASS
    assert any(words in note for note in result.notes)
    assert any("backward ratio" in note for note in result.notes)
