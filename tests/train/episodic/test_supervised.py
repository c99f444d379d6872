import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from hotloop.train.episodic import SupervisedOptions, train_supervised
from hotloop.train.episodic.supervised import ShuffledBatches


def data(count=50):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, 3, generator=generator), torch.randn(count, 2, generator=generator)


@pytest.mark.parametrize("shuffle", [True, False])
def test_mini_batches_are_those_of_a_data_loader(shuffle):
    inputs, targets = data()
    torch.manual_seed(3)
    loader = DataLoader(TensorDataset(inputs, targets), batch_size=16, shuffle=shuffle)
    expected = [batch for _ in range(3) for batch in loader]
    torch.manual_seed(3)
    batches = ShuffledBatches(inputs, targets, batch_size=16, shuffle=shuffle, seed=None)
    got = [batch for _ in range(3) for batch in batches]
    assert len(batches) == 4
    assert all(
        torch.equal(a, b) for mine, theirs in zip(got, expected, strict=True) for a, b in zip(mine, theirs, strict=True)
    )


def test_skipped_epochs_leave_the_later_ones_as_they_are():
    first, later = (ShuffledBatches(*data(), batch_size=16, shuffle=True, seed=1) for _ in range(2))
    epochs = [list(first) for _ in range(3)]
    later.skip(2)
    assert all(torch.equal(a[0], b[0]) for a, b in zip(later, epochs[2], strict=True))


@pytest.mark.parametrize("name", ["linear", "dense"])
def test_training_is_that_of_the_plain_loop(make, weights, name):
    inputs, targets = data()
    mine, theirs = make[name](), make[name]()
    torch.manual_seed(3)
    loader, losses = DataLoader(TensorDataset(inputs, targets), batch_size=16, shuffle=True), []
    optimizer = torch.optim.AdamW(theirs.parameters(), lr=1e-2, weight_decay=0.1)
    for _ in range(3):
        total = 0.0
        for batch_inputs, batch_targets in loader:
            loss = nn.functional.mse_loss(theirs(batch_inputs), batch_targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch_inputs)
        losses.append(total / 50)
    torch.manual_seed(3)
    options = SupervisedOptions(epochs=3, batch_size=16, lr=1e-2, optimizer="adamw", weight_decay=0.1)
    run = train_supervised(mine, inputs, targets, options)
    assert [epoch.loss for epoch in run.history] == pytest.approx(losses, rel=1e-4)
    assert torch.allclose(weights(mine), weights(theirs), atol=1e-4)
    assert run.threads == 1
    assert run.step == ("flat" if name == "linear" else "fused")


def test_the_best_weights_come_back_after_an_early_stop(make):
    inputs, targets = data()
    options = SupervisedOptions(epochs=50, lr=0.5, patience=3)
    run = train_supervised(make["linear"](), inputs, targets, options, seed=0, validation=(inputs, targets))
    assert run.stopped_early
    losses = [epoch.validation for epoch in run.history]
    assert run.best_epoch == losses.index(min(losses)) + 1


def test_inputs_and_targets_must_be_as_many(make):
    inputs, targets = data()
    with pytest.raises(ValueError, match="50 inputs and 49 targets"):
        train_supervised(make["linear"](), inputs, targets[1:])
