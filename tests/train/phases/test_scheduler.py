"""The vectors below were made by running the state machine of vsa-optim-rs 0.1.1 (F FULL, P PREDICT, C CORRECT)."""

import json
import math
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotloop.errors import PhaseError
from hotloop.train import PhaseConfig, PhaseScheduler, TrainingPhase


def fixed(full, predict, every, **settings):
    return PhaseConfig(full_steps=full, predict_steps=predict, correct_every=every, adaptive_phases=False, **settings)


def run(scheduler, steps, loss=lambda step: 1.0, due=lambda step: False):
    infos = []
    for step in range(steps):
        infos.append(scheduler.begin_step(correction_due=due(step)))
        scheduler.end_step(loss(step))
    return infos


def letters(infos):
    return "".join(str(info.phase)[0] for info in infos)


def falling(step):
    return 1 / (1 + step)


def rising(step):
    return 1 + 0.1 * step


def test_two_four_two_to_the_last_field() -> None:
    scheduler = PhaseScheduler(fixed(2, 4, 2))
    infos = run(scheduler, 20)
    assert letters(infos) == "FFPPCPCFFPPCPCFFPPCP"
    assert [info.phase_step for info in infos] == [0, 1, 0, 1, 2, 3, 4] * 2 + [0, 1, 0, 1, 2, 3]
    assert [info.cycle for info in infos] == [0] * 7 + [1] * 7 + [2] * 6
    assert [info.total_step for info in infos] == list(range(20))
    assert [info.total_step for info in infos if info.phase_changed] == [2, 4, 5, 6, 7, 9, 11, 12, 13, 14, 16, 18, 19]
    counts = {str(phase): count for phase, count in scheduler.counts.items()}
    assert counts == {"WARMUP": 0, "FULL": 6, "PREDICT": 9, "CORRECT": 5}
    assert scheduler.backward_ratio == pytest.approx(20 / 11)


def test_a_period_of_two_four_two_saves_three_of_seven_backward_passes() -> None:
    scheduler = PhaseScheduler(fixed(2, 4, 2))
    run(scheduler, 7)
    assert scheduler.backward_ratio == 1.75


def test_defaults_predict_37_of_51_steps_not_80_percent() -> None:
    scheduler = PhaseScheduler(fixed(10, 40, 10))
    assert letters(run(scheduler, 51)) == "F" * 10 + "P" * 10 + "C" + ("P" * 9 + "C") * 3
    assert scheduler.counts[TrainingPhase.PREDICT] == 37
    assert scheduler.backward_ratio == pytest.approx(51 / 14)
    assert scheduler.begin_step().phase is TrainingPhase.FULL


@pytest.mark.parametrize(
    ("full", "predict", "every", "expected", "ratio"),
    [
        (1, 3, 10, "FPPP" * 3, 4.0),
        (2, 5, 3, "FFPPPCP" * 3, 7 / 3),
        (2, 5, 2, "FFPPCPC" * 3, 1.75),
        (1, 4, 1, "FPCPC" * 4, 5 / 3),
        (3, 2, 5, "FFFPP" * 3, 5 / 3),
    ],
)
def test_other_lengths(full, predict, every, expected, ratio) -> None:
    scheduler = PhaseScheduler(fixed(full, predict, every))
    assert letters(run(scheduler, len(expected))) == expected
    assert scheduler.backward_ratio == pytest.approx(ratio)


def test_without_corrections_predict_is_whole() -> None:
    assert letters(run(PhaseScheduler(fixed(2, 4, None)), 12)) == "FFPPPP" * 2


def test_deterministic_mode_warms_up_first() -> None:
    scheduler = PhaseScheduler(fixed(2, 4, 2, mode="deterministic", warmup_steps=3))
    infos = run(scheduler, 24)
    assert letters(infos) == "WWWFFPPCPCFFPPCPCFFPPCPC"
    assert [info.cycle for info in infos] == [0] * 10 + [1] * 7 + [2] * 7  # leaving WARMUP begins no new cycle
    assert [info.needs_backward for info in infos] == [info.phase is not TrainingPhase.PREDICT for info in infos]
    assert scheduler.backward_ratio == 1.6


def test_deterministic_defaults_make_43_backward_passes_in_100_steps_not_35() -> None:
    scheduler = PhaseScheduler(PhaseConfig.deterministic(adaptive_phases=False))
    cycle = "FFFFFPPPPPCPPPPCPPPPCPPPPC"
    assert letters(run(scheduler, 100)) == ("W" * 10 + cycle * 4)[:100]
    assert 100 - scheduler.counts[TrainingPhase.PREDICT] == 43
    assert scheduler.backward_ratio == pytest.approx(100 / 43)


def test_deterministic_defaults_with_losses_that_fall_and_rise() -> None:
    ratios = []
    for loss in (falling, rising):
        scheduler = PhaseScheduler(PhaseConfig.deterministic())
        run(scheduler, 100, loss)
        ratios.append(round(scheduler.backward_ratio, 2))
    assert ratios == [2.63, 1.79]


def test_a_correction_that_is_due_after_each_step_alternates() -> None:
    # Upstream on a 1-D parameter with g_i = i**2: the trigger fires from the first correction on, and never stops.
    scheduler = PhaseScheduler(PhaseConfig.deterministic(adaptive_phases=False))
    infos = run(scheduler, 60, due=lambda step: step > 20)
    assert letters(infos) == "W" * 10 + "FFFFFPPPPPC" + "PC" * 7 + "FFFFF" + "PC" * 10
    assert scheduler.backward_ratio == pytest.approx(1.58, abs=0.005)


def test_a_whole_predict_without_correction_ends_with_one_in_deterministic_mode() -> None:
    scheduler = PhaseScheduler(fixed(2, 4, None, mode="deterministic", warmup_steps=1))
    assert letters(run(scheduler, 15)) == "W" + "FFPPPPC" * 2


def test_legacy_defaults_adapt_as_upstream_did() -> None:
    scheduler = PhaseScheduler(PhaseConfig())
    run(scheduler, 300, falling)
    assert scheduler.backward_ratio == pytest.approx(4.762, abs=5e-4)
    assert (scheduler.lengths.full, scheduler.lengths.predict) == (5, 65)
    scheduler = PhaseScheduler(PhaseConfig())
    run(scheduler, 300, rising)
    assert scheduler.backward_ratio == pytest.approx(1.613, abs=5e-4)
    assert (scheduler.lengths.full, scheduler.lengths.predict) == (40, 10)


def test_falling_losses_never_lengthen_full() -> None:
    # Upstream went from 2 to 5 FULL steps here, the floor of its limits: FFPPCPC x3, then FFFFF.
    scheduler = PhaseScheduler(PhaseConfig(full_steps=2, predict_steps=4, correct_every=2))
    assert letters(run(scheduler, 60, falling)).startswith("FFPPCPC" * 3 + "FFPPCPCPCPC")
    assert (scheduler.lengths.full, scheduler.lengths.predict) == (2, 19)


def test_rising_losses_never_lengthen_predict() -> None:
    # Upstream went from 4 to 10 PREDICT steps here.
    scheduler = PhaseScheduler(PhaseConfig(full_steps=2, predict_steps=4, correct_every=2))
    assert letters(run(scheduler, 60, rising)).startswith("FFPPCPC" * 3 + "FFFFFFFPPCPC" + "F" * 12 + "PPCPC")
    assert scheduler.lengths.predict == 4


@settings(deadline=None)
@given(
    st.integers(1, 60),
    st.integers(0, 120),
    st.sampled_from(["legacy", "deterministic"]),
    st.floats(-10, 10),
    st.floats(0.01, 1),
)
def test_no_limit_turns_an_adaptation_around(full, predict, mode, first, slope) -> None:
    for sign in (1, -1):
        scheduler = PhaseScheduler(PhaseConfig(full_steps=full, predict_steps=predict, mode=mode, warmup_steps=20))
        run(scheduler, 200, lambda step, sign=sign: first + sign * slope * step)
        lengths = scheduler.lengths
        if sign > 0:
            assert lengths.predict <= predict
            assert lengths.full >= full
        else:
            assert lengths.predict >= predict
            assert lengths.full <= full


def test_defect_6_negative_losses_adapt_like_positive_ones() -> None:
    scheduler = PhaseScheduler(PhaseConfig(full_steps=10, predict_steps=20, correct_every=None))
    run(scheduler, 100, lambda step: -rising(step))
    assert scheduler.lengths.predict > 20


def test_defect_6_a_shorter_window_reacts_sooner() -> None:
    for window, is_seen in ((20, True), (100, False)):
        config = PhaseConfig(full_steps=2, predict_steps=12, correct_every=None, adaptation_window=window)
        scheduler = PhaseScheduler(config)
        lengths = []
        for step in range(200):  # a great fall at 100, a steady rise from 150 on
            scheduler.begin_step()
            scheduler.end_step(10.0 if step < 100 else 1.0 + 0.05 * max(0, step - 150))
            lengths.append(scheduler.lengths.full)
        assert (lengths[-1] > lengths[149]) is is_seen


def test_defect_6_adapted_lengths_do_not_survive_a_reset() -> None:
    config = PhaseConfig()
    scheduler = PhaseScheduler(config)
    run(scheduler, 300, falling)
    scheduler.reset()
    assert scheduler.state_dict() == PhaseScheduler(config).state_dict()
    assert config == PhaseConfig()


def test_nan_losses_change_nothing() -> None:
    scheduler = PhaseScheduler(PhaseConfig(full_steps=2, predict_steps=4, correct_every=2))
    run(scheduler, 60, lambda step: math.nan)
    assert (scheduler.lengths.full, scheduler.lengths.predict) == (2, 4)


def test_defect_2_a_loss_may_be_left_out() -> None:
    scheduler = PhaseScheduler(fixed(2, 4, 2))
    for _ in range(7):
        scheduler.begin_step()
        scheduler.end_step()
    assert scheduler.backward_ratio == 1.75


def test_defect_7_no_step_is_predicted_where_none_was_asked_for() -> None:
    # Upstream gave FFP FFP for 2/0/3 and FFPC FFPC for 2/0/1.
    for every in (3, 1):
        assert letters(run(PhaseScheduler(fixed(2, 0, every)), 12)) == "F" * 12
    scheduler = PhaseScheduler(PhaseConfig(full_steps=2, predict_steps=0))
    assert letters(run(scheduler, 200, falling)) == "F" * 200


def test_defect_7_zero_is_refused_where_upstream_panicked_or_predicted_from_nothing() -> None:
    with pytest.raises(ValueError, match="correct_every"):
        PhaseConfig(correct_every=0)
    with pytest.raises(ValueError, match="full_steps"):  # upstream: PPP FPPP FPPP F for 0/3/5
        PhaseConfig(full_steps=0, predict_steps=3, correct_every=5)


def test_defect_8_a_long_warmup_ends() -> None:
    # Upstream trimmed its history to 10 gradients and then waited for 11.
    scheduler = PhaseScheduler(PhaseConfig.deterministic(warmup_steps=11))
    assert letters(run(scheduler, 12)) == "W" * 11 + "F"


def test_suspended_steps_are_full() -> None:
    scheduler = PhaseScheduler(fixed(2, 4, 2))
    run(scheduler, 4)
    scheduler.begin_step()
    scheduler.suspend(5)
    scheduler.end_step(1.0)
    assert letters(run(scheduler, 9)) == "FFFFFPPCP"


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 9), st.integers(1, 5), st.booleans())
def test_a_state_taken_anywhere_goes_on_with_the_same_phases(steps, full, predict, every, is_legacy) -> None:
    mode = "legacy" if is_legacy else "deterministic"
    config = PhaseConfig(full_steps=full, predict_steps=predict, correct_every=every, mode=mode, warmup_steps=3)
    whole = run(PhaseScheduler(config), steps + 40, falling)
    first = PhaseScheduler(config)
    run(first, steps, falling)
    second = PhaseScheduler(PhaseConfig.from_dict(json.loads(json.dumps(config.to_dict()))))
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert run(second, 40, lambda step: falling(step + steps)) == whole[steps:]


def test_a_state_of_another_config_is_refused() -> None:
    with pytest.raises(ValueError, match="from_dict"):
        PhaseScheduler(PhaseConfig(full_steps=3)).load_state_dict(PhaseScheduler(PhaseConfig()).state_dict())
    with pytest.raises(ValueError, match="the state has no"):
        PhaseScheduler().load_state_dict({"config": PhaseConfig().to_dict()})


def test_calls_out_of_order_are_refused() -> None:
    scheduler = PhaseScheduler()
    with pytest.raises(PhaseError, match="begin_step"):
        scheduler.end_step(1.0)
    scheduler.begin_step()
    with pytest.raises(PhaseError, match="end_step"):
        scheduler.begin_step()
    with pytest.raises(PhaseError, match="end_step"):
        scheduler.state_dict()
    with pytest.raises(ValueError, match="steps"):
        scheduler.suspend(0)


def test_the_scheduler_loads_without_torch() -> None:
    code = (
        "import sys; from hotloop.train import PhaseConfig, PhaseScheduler, StepInfo, TrainerStats, TrainingPhase; "
        "PhaseScheduler(PhaseConfig()).begin_step(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
