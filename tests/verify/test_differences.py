import math
from dataclasses import replace

import pytest
from observations import make_observation, make_steps

from hotloop.verify.differences import differences_in_kind, differences_in_settings

STEPS = 12


@pytest.fixture
def baseline():
    return make_observation(
        [2.0 - 0.1 * step for step in range(STEPS)],
        optimizers=(make_steps(),),
        buffer_names=("number 0",),
        buffers=((1.0,),) * STEPS,
        settings={
            ("module 0.drop", "training"): ((1, 1.0),),
            ("module 0.drop", "p"): ((1, 0.2),),
            ("optimizer 0, group 0", "lr"): ((1, 0.1), (4, 0.05)),
            ("optimizer 0, group 0", "fused"): ((1, 0.0),),
        },
    )


def at_step(rows, step, row):
    return (*rows[: step - 1], row, *rows[step:])


def with_steps(run, **changes):
    return replace(run, optimizers=(make_steps(**changes),))


def with_setting(run, owner, name, *changes):
    return replace(run, settings={**run.settings, (owner, name): changes})


def test_equal_runs_differ_in_nothing(baseline):
    assert list(differences_in_kind(baseline, baseline)) == []


def test_a_gradient_that_only_one_run_has_is_named(baseline):
    frozen = with_steps(baseline, gradients=((3.0, -1.0),) * STEPS)
    assert list(differences_in_kind(frozen, baseline)) == ["parameter 0.bias gets no gradient"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"names": ("0.weight",)}, "it trains 1 parameters in place of 2"),
        ({"gradients": ((3.0, 0.0),) * STEPS}, "parameter 0.bias gets a gradient of zero"),
        ({"moved": (0.9,) * STEPS}, "90.0% of the weights move in a step in place of 100.0%: small updates are lost"),
    ],
)
def test_what_no_rounding_explains_is_named(baseline, change, words):
    (found,) = differences_in_kind(with_steps(baseline, **change), baseline)
    assert words in found


def test_a_buffer_that_stands_still_is_named(baseline):
    (found,) = differences_in_kind(replace(baseline, buffers=((0.0,),) * STEPS), baseline)
    assert "batch-norm statistic) number 0 does not move in step 1" in found


@pytest.mark.parametrize(
    ("owner", "name", "changes", "words"),
    [
        ("module 0.drop", "training", ((1, 0.0),), "module 0.drop runs in evaluation mode"),
        ("module 0.drop", "p", ((1, 0.0),), "module 0.drop drops out 0 in place of 0.2"),
        (
            "optimizer 0, group 0",
            "lr",
            ((1, 0.1),),
            "lr of optimizer 0, group 0 is 0.1 in place of 0.05 in step 4",
        ),
        ("optimizer 0, group 0", "fused", ((1, 1.0),), "fused of optimizer 0, group 0 is 1 in place of 0 in step 1"),
    ],
)
def test_a_setting_that_is_another_is_named_with_its_step_and_both_values(baseline, owner, name, changes, words):
    assert list(differences_in_settings(with_setting(baseline, owner, name, *changes), baseline)) == [words]


def test_a_setting_that_the_plan_declares_may_change(baseline):
    fused = with_setting(baseline, "optimizer 0, group 0", "fused", (1, 1.0))
    assert list(differences_in_settings(fused, baseline, declared={"fused"})) == []


def test_a_learning_rate_in_an_fp32_tensor_is_the_same(baseline):
    rounded = with_setting(baseline, "optimizer 0, group 0", "lr", (1, 0.10000000149), (4, 0.05))
    assert list(differences_in_settings(rounded, baseline)) == []


def test_a_run_that_ends_early_and_steps_without_a_backward_pass_are_named(baseline):
    short = replace(baseline, losses=baseline.losses[:7], each_loss=baseline.each_loss[:7])
    assert "it ends after 7 steps in place of 12" in list(differences_in_kind(short, baseline))
    lost = replace(baseline, each_loss=at_step(baseline.each_loss, 5, ()))
    assert list(differences_in_kind(lost, baseline)) == ["step 5 has 0 backward passes in place of 1"]


def test_a_loss_that_is_finite_in_one_run_alone_is_named(baseline):
    lost = replace(baseline, each_loss=at_step(baseline.each_loss, 5, (math.nan,)))
    (found,) = differences_in_kind(lost, baseline)
    assert found.startswith("the loss of step 5 is not finite")


def test_an_optimizer_that_is_missing_is_named(baseline):
    two = replace(baseline, optimizers=(make_steps(), make_steps()))
    assert list(differences_in_kind(baseline, two)) == ["it trains with 1 optimizers in place of 2"]


def test_a_step_that_was_left_out_is_named_for_every_parameter(baseline):
    dropped = with_steps(baseline, updates=at_step(make_steps().updates, 10, (0.0, 0.0)))
    found = list(differences_in_kind(dropped, baseline))
    assert found[0] == "parameter 0.weight does not move in step 10 (1 of 12 steps)"
    assert len(found) == 2


def test_a_parameter_may_stand_still_in_a_step_in_which_it_hardly_moves_anyway(baseline):
    rare = with_steps(baseline, updates=at_step(make_steps().updates, 3, (0.3, 1e-6)))
    still = with_steps(baseline, updates=at_step(make_steps().updates, 3, (0.3, 0.0)))
    assert list(differences_in_kind(still, rare)) == []
    assert len(list(differences_in_kind(still, baseline))) == 1
