"""Phases of a job, as the worker keeps them."""

import pytest

from hotloop.transform import Plan
from hotloop.workload import Job
from hotloop.workloads.job_phases import JobPhases
from hotloop.workloads.started_plan import StartedPlan


@pytest.fixture
def told():
    """A job that is in the phase named by `told["phase"]`, and its phases."""
    found = {"phase": "dormant", "started": StartedPlan(Plan())}
    job = Job(model=None, optimizer=None, batches=(), strategy=None, phase=lambda: found["phase"])
    return found, JobPhases(job, found["started"])


def test_each_change_is_kept_with_its_first_step(told):
    found, phases = told
    for step, phase in enumerate(("dormant", "dormant", "training", "dormant"), start=1):
        found["phase"], found["started"].steps = phase, step
        phases.stepped()
    assert found["started"].phases == [(1, "dormant"), (3, "training"), (4, "dormant")]


def test_an_error_is_noted_with_the_step_that_was_being_made(told):
    found, phases = told
    found["started"].steps = 6
    found["phase"] = "b0 is blending"
    with pytest.raises(RuntimeError, match="no graph") as caught, phases:
        raise RuntimeError("no graph")
    assert caught.value.__notes__ == ["in step 7, while b0 is blending"]


def test_a_job_without_phases_is_asked_nothing():
    started = StartedPlan(Plan())
    job = Job(model=None, optimizer=None, batches=(), strategy=None)
    JobPhases(job, started).stepped()
    with pytest.raises(RuntimeError) as caught, JobPhases(job, started):
        raise RuntimeError
    assert not started.phases
    assert not hasattr(caught.value, "__notes__")
