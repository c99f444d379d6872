import pytest

pytest.importorskip("gymnasium")

from hotloop.train.loop import train
from hotloop.workloads.recipes.ppo import build


def losses_of(seed, steps=45):
    losses = []
    job = build(seed)
    train(job, steps=steps, on_step=lambda loss: losses.append(float(loss)))
    return job, losses


def test_a_cycle_is_a_rollout_and_twenty_steps_and_the_same_for_a_seed():
    job, losses = losses_of(0)
    assert losses_of(0)[1] == losses != losses_of(1)[1]
    assert job.batches.update == 2  # the third one is under way
    assert job.batches.figures[-1]["episodes"] > 10
