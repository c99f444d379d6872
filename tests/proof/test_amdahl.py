"""The limit of a change: the phases it may shorten, on top of what is already kept."""

from dataclasses import replace

import pytest

from hotloop import registry
from hotloop.measurement import Interval
from hotloop.proof.amdahl import AmdahlLimits
from hotloop.transform import Plan, affects_phases
from hotloop.trial import Trial
from hotloop.tune.candidates import find_candidates

BOUNDS = AmdahlLimits(
    share_by_phase={"data_wait": 0.3, "forward": 0.2, "backward": 0.2, "optimizer": 0.25, "other": 0.05}
)


def trial(names, against="nothing", kept=False, speedup=None):
    plan = Plan.from_data([{"name": name} for name in names])
    gain = speedup and Interval(ratio=speedup, low=speedup, high=speedup)
    return Trial(
        plan=tuple(plan.to_data()), title=plan.title, change="", against=against, kept=kept, reason="", speedup=gain
    )


@pytest.mark.parametrize(
    ("names", "limit"),
    [
        (["fused_optimizer"], 1 / 0.75),
        (["data_loading"], 1 / 0.7),
        (["autocast"], 1 / 0.6),
        (["compile"], 1 / 0.6),
        (["compile", "fused_optimizer"], 1 / 0.35),
        (["compile", "autocast"], 1 / 0.6),
        (["allocator"], None),
        (["threads", "compile"], None),
    ],
)
def test_the_phases_that_a_plan_may_shorten_limit_it(names, limit):
    assert BOUNDS.of(names) == (None if limit is None else pytest.approx(limit))


def test_without_a_diagnosis_nothing_is_bounded():
    assert AmdahlLimits().of(["fused_optimizer"]) is None


def test_what_a_plan_has_left_of_the_step_makes_the_other_phases_larger():
    kept = trial(["compile"], kept=True, speedup=1.5)
    on_top = BOUNDS.on(trial(["compile", "fused_optimizer"], against=kept.title), [kept])
    assert on_top.amdahl_limit == pytest.approx(1 / (1 - 1.5 * 0.25))


def test_a_phase_that_may_be_all_that_is_left_has_no_limit():
    kept = trial(["compile"], kept=True, speedup=4.0)
    assert BOUNDS.on(trial(["compile", "fused_optimizer"], against=kept.title), [kept]).amdahl_limit is None


def test_shares_that_add_up_to_all_of_a_step_within_rounding_bound_nothing():
    whole = AmdahlLimits(share_by_phase={"forward": 0.7, "backward": 0.2, "evaluation": 0.1 - 1e-12})
    assert whole.of(["compile"]) is None


def test_a_speed_up_without_an_upper_end_makes_no_limit():
    kept = replace(trial(["compile"], kept=True), speedup=Interval(ratio=1.5, low=0.0, high=float("inf")))
    assert BOUNDS.on(trial(["compile", "fused_optimizer"], against=kept.title), [kept]).amdahl_limit is None


def test_leaving_a_part_out_is_not_bounded():
    kept = trial(["compile", "fused_optimizer"], kept=True, speedup=1.5)
    assert BOUNDS.on(trial(["compile"], against=kept.title), [kept]).amdahl_limit is None


def test_candidates_come_in_the_order_of_what_they_could_win(program, cpu_machine):
    found = find_candidates(
        cpu_machine, program("mlp"), limits=AmdahlLimits(share_by_phase={"optimizer": 0.5, "forward": 0.2})
    )
    names = list(dict.fromkeys(change.name for change in found.uncompiled))
    assert names.index("fused_optimizer") < names.index("autocast")
    assert "data_loading" not in names  # nothing waits for data: it could not win enough for a claim
    assert set(found.bounded) >= {"data_loading", "batched_fetch", "cached_samples"}


def test_what_could_not_win_enough_is_tried_where_it_is_asked_for(program, cpu_machine):
    limits = AmdahlLimits(share_by_phase={"optimizer": 0.5, "forward": 0.2})
    found = find_candidates(cpu_machine, program("mlp"), only=("data_loading",), limits=limits)
    assert ({change.name for change in found.uncompiled}, found.bounded) == ({"data_loading"}, ())


def test_every_phase_that_a_transform_names_is_one_that_a_diagnosis_measures():
    from hotloop.diagnose.phase_times import OUTSIDE, PHASES

    named = {
        p for name in registry.names("transforms") for p in affects_phases(registry.load("transforms", name)) or ()
    }
    assert named <= {*PHASES, *OUTSIDE}
