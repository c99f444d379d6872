from hotloop import registry
from hotloop.train.loop import train

build = registry.load("workloads", "panel")


def test_the_same_seed_trains_the_same_network_and_another_does_not():
    losses = [train(build(seed), steps=3).loss for seed in (0, 0, 1)]
    assert losses[0] == losses[1] != losses[2]


def test_training_lowers_the_loss():
    job = build(0)
    before = train(job, epochs=1).loss
    train(job, epochs=2)
    assert train(job, epochs=1).loss < before
