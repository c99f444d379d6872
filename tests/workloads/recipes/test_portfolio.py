import torch

from hotloop import registry
from hotloop.train.loop import train

build = registry.load("workloads", "portfolio")


def weights(job):
    return torch.cat([p.detach().flatten() for p in job.model.parameters()])


def test_the_same_seed_trains_the_same_policy_and_another_does_not():
    jobs = [build(seed) for seed in (0, 0, 1)]
    losses = [train(job, steps=12).loss for job in jobs]
    assert losses[0] == losses[1] != losses[2]
    assert weights(jobs[0]).equal(weights(jobs[1]))


def test_every_pass_draws_other_windows():
    job = build(0)
    first, second = (next(iter(job.batches)).rows for _ in range(2))
    assert first.shape == second.shape == (8 * 64, 10)
    assert not first.equal(second)


def test_training_earns_more_than_no_training():
    job = build(0)
    before = train(job, steps=8).loss
    train(job, steps=100)
    assert train(job, steps=8).loss < before
