import numpy as np
import pytest
import torch
from kept_states import Kept

from hotloop.models.residual import ResPSANN
from hotloop.train.episodic import EpisodicOptions, SupervisedOptions, train_episodic, train_supervised

SERIES = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)


def net():
    torch.manual_seed(0)
    return ResPSANN(3, 2, hidden_layers=1, hidden_units=16)


def episodic(model, recorder):
    options = EpisodicOptions(
        epochs=4, window=8, batch_episodes=1, updates_per_epoch=3, input_noise_std=0.1, patience=9
    )
    run = train_episodic(model, SERIES, options, seed=0, recorder=recorder, validation=SERIES[:20])
    return [(epoch.epoch, epoch.reward, epoch.validation) for epoch in run.history]


def supervised(model, recorder):
    options = SupervisedOptions(epochs=4, batch_size=16)
    run = train_supervised(model, SERIES, SERIES[:, :2], options, seed=0, recorder=recorder)
    return [(epoch.number, epoch.loss, epoch.validation) for epoch in run.history]


@pytest.mark.parametrize("train", [episodic, supervised])
@pytest.mark.parametrize("after", [1, 4])
def test_a_run_that_goes_on_ends_as_one_that_never_stopped(train, after):
    whole, rest, kept = net(), net(), Kept()
    history = train(whole, kept)
    assert train(rest, Kept(kept.states[after - 1])) == history
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), rest.parameters(), strict=True))
