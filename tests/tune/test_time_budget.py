from types import SimpleNamespace

import pytest

from hotloop.proof.session import Options
from hotloop.tune.time_budget import TimeBudget


def budget_of(seconds: float, *, left: float, per_arm: float = 0.0) -> TimeBudget:
    notes: list[str] = []
    session = SimpleNamespace(
        options=Options(budget=seconds), left=left, elapsed=seconds - left, notes=notes, note=notes.append
    )
    return TimeBudget(session=session, most_arms=8, seconds_per_arm=per_arm)


def test_before_the_first_screening_as_many_as_are_held_together_fit() -> None:
    assert budget_of(240, left=200).fitting(20) == 8


def test_a_fifth_of_the_budget_is_left_for_confirming() -> None:
    assert budget_of(240, left=48).fitting(20) == 0


def test_where_processes_take_long_to_start_confirming_gets_what_three_replicates_need() -> None:
    assert budget_of(240, left=200, per_arm=6.0).for_confirming == pytest.approx(70.2)
    assert budget_of(240, left=200, per_arm=60.0).for_confirming == 120


@pytest.mark.parametrize(("replicates", "fitting"), [(1, 8), (2, 6), (8, 0)])
def test_only_those_fit_whose_processes_there_is_time_for(replicates: int, fitting: int) -> None:
    budget = budget_of(600, left=200, per_arm=5.0)  # 120 for confirming, 80 for 16 arms; two are the kept plan's
    assert budget.fitting(20, replicates=replicates) == fitting


def test_what_a_screening_took_is_learnt_for_each_arm() -> None:
    budget = budget_of(240, left=200)
    budget.learn(60.0, arms=10)
    budget.learn(20.0, arms=10)
    assert budget.seconds_per_arm == 6.0


def test_what_was_left_out_is_told_once_with_a_budget_that_would_do() -> None:
    budget = budget_of(240, left=60, per_arm=5.0)
    budget.leave_untried(["bf16", "compile"])
    budget.leave_untried(["compile"])
    budget.note_untried()
    assert budget.session.notes == ["not tried for want of time: bf16, compile; a --budget of 5m would do for them"]


def test_a_short_budget_measures_nothing_again() -> None:
    assert budget_of(240, left=200).for_doubts == 0
    assert budget_of(600, left=500).for_doubts == pytest.approx(95)


def test_what_lost_on_an_earlier_plan_is_not_told_as_untried() -> None:
    budget = budget_of(240, left=60, per_arm=5.0)
    budget.leave_untried(["tcmalloc", "compile"], tried={"tcmalloc"})
    budget.note_untried()
    (note,) = budget.session.notes
    assert note.startswith("not tried for want of time: compile; not tried again on top of what was kept, for want of")
    assert "time: tcmalloc; a --budget" in note
