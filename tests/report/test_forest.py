import dataclasses

import pytest

from hotloop.measurement import Interval
from hotloop.report.forest import claim_threshold, plot_forest
from hotloop.verdict import Outcome


def test_the_aa_row_comes_first_and_the_confirmed_plan_last(proven):
    kinds = [row.kind for row in plot_forest(proven).rows]
    assert kinds == ["aa", "kept", "refused", "refused", "kept", "kept", "refused", "whole kept"]


def test_every_interval_lies_on_the_axis_in_order(proven):
    forest = plot_forest(proven)
    assert all(0.0 <= row.low < row.ratio < row.high <= 100.0 for row in forest.rows)
    assert 0.0 < forest.one < forest.threshold < 100.0


def test_a_whole_plan_that_is_not_proven_is_not_shown_as_kept(proven):
    failed = dataclasses.replace(proven, verdict=Outcome.FAIL)
    assert plot_forest(failed).rows[-1].kind == "whole refused"


def test_the_one_trial_of_a_proof_is_one_row(proven):
    trial = dataclasses.replace(proven.trials[0], speedup=proven.speedup)
    assert [row.kind for row in plot_forest(dataclasses.replace(proven, trials=(trial,))).rows] == ["aa", "whole kept"]


def test_nothing_compared_gives_no_plot(untold):
    assert plot_forest(untold) is None


def test_the_threshold_is_the_one_that_the_gate_used(proven):
    assert claim_threshold(proven) == pytest.approx(1.03)


def test_without_a_recorded_floor_the_least_gain_sets_the_threshold(untold):
    assert claim_threshold(untold) == pytest.approx(1.02)


def test_a_hopeless_candidate_does_not_squeeze_the_others(proven):
    slow = dataclasses.replace(proven.trials[2], speedup=Interval(low=0.01, ratio=0.02, high=0.03))
    forest = plot_forest(dataclasses.replace(proven, trials=(slow,)))
    assert [row.is_off_scale for row in forest.rows] == [False, True, False]
    assert forest.one > 30.0


@pytest.mark.parametrize("high", [float("inf"), None, 1e200])
def test_an_interval_of_one_replicate_runs_from_edge_to_edge(proven, high):
    forest = plot_forest(dataclasses.replace(proven, aa=Interval(low=0.0, ratio=1.0, high=high), trials=()))
    assert (forest.rows[0].low, forest.rows[0].high) == (0.0, 100.0)
    assert forest.rows[1].ratio > 60.0


def test_a_comparison_without_a_figure_is_left_out(proven):
    broken = Interval(low=float("nan"), ratio=float("nan"), high=float("nan"))
    assert len(plot_forest(dataclasses.replace(proven, aa=broken, trials=())).rows) == 1
