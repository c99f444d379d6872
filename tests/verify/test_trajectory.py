import faults
import pytest

from benchmarks.verify.trajectory import check_trajectory, walk
from hotloop.verdict import Outcome
from models import FAST, recipe


@pytest.mark.parametrize("name", FAST)
def test_pure_bf16_parameters_lose_small_updates(name):
    verdict = check_trajectory(recipe(name), faults.pure_bf16, roundoff=2.0**-9)
    assert verdict.outcome is Outcome.FAIL
    assert "small updates are lost" in verdict.message


def test_a_dropped_step_is_named():
    verdict = check_trajectory(recipe("mlp"), faults.dropped_steps, roundoff=2.0**-24)
    assert "step 10 changes no weight, eager's does" in verdict.message


def test_stale_inputs_show_in_the_losses():
    verdict = check_trajectory(recipe("mlp"), faults.stale_inputs, roundoff=2.0**-9)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.message.startswith("loss of steps")


def test_another_seed_passes_no_gate_unnoticed():
    def reseeded(job):
        job.model.load_state_dict(recipe("mlp", seed=1)().model.state_dict())

    assert not check_trajectory(recipe("mlp"), reseeded, roundoff=2.0**-9).passed


def test_a_loss_that_turns_into_nan_is_refused_at_its_step():
    def poison(job):
        good = list(job.batches)
        job.batches = [*good[:3], (good[3][0] * float("nan"), good[3][1]), *good[4:]]

    verdict = check_trajectory(recipe("mlp"), poison, roundoff=2.0**-9)
    assert verdict.outcome is Outcome.FAIL
    assert "the loss is nan at step 4" in verdict.message


def test_a_baseline_that_diverges_is_inconclusive():
    def build():
        job = recipe("mlp")()
        for group in job.optimizer.param_groups:
            group["lr"] = 1e30
        return job

    assert check_trajectory(build, faults.nothing, roundoff=2.0**-9).outcome is Outcome.INCONCLUSIVE


def test_a_path_repeats_itself():
    assert walk(recipe("mlp"), steps=12) == walk(recipe("mlp"), steps=12)


@pytest.mark.parametrize(("steps", "seeds"), [(9, (1, 2)), (30, (1,))])
def test_too_few_steps_or_seeds_are_an_error(steps, seeds):
    with pytest.raises(ValueError, match="give more"):
        check_trajectory(recipe("mlp"), faults.nothing, steps=steps, seeds=seeds, roundoff=0.0)
