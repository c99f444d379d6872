import pytest
import torch

from hotloop.verify.fresh_job import fresh_job
from hotloop.verify.job_state import JobState, plain_name
from models import recipe


def test_a_state_is_restored_in_place_and_shows_what_changed():
    job = fresh_job(recipe("mlp"))
    before = JobState.of(job)
    name, weight = next(iter(job.model.named_parameters()))
    with torch.no_grad():
        weight.add_(1.0)
    changes = JobState.of(job).changes_since(before)
    assert changes.weights[name].mean().item() == pytest.approx(1.0)
    before.restore(job)
    assert torch.equal(JobState.of(job).weights[name], before.weights[name])


def test_names_are_those_of_the_module_that_was_compiled():
    assert plain_name("_orig_mod.layers.0.weight") == "layers.0.weight"
    assert plain_name("_orig_mod") == ""
