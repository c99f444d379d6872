"""Losses wait on their device in slots that are used again."""

import torch

from hotloop.worker.losses import Losses


def test_the_mean_of_each_step_is_given():
    losses = Losses()
    losses.keep(1, torch.tensor(1.0))
    losses.keep(1, torch.tensor(3.0))
    losses.keep(3, torch.tensor(7.0, dtype=torch.bfloat16))
    losses.keep(4, torch.tensor(9.0))

    assert losses.by_step(3) == [2.0, None, 7.0]


def test_a_loss_may_change_after_it_was_kept():
    losses, value = Losses(), torch.tensor(1.0)
    losses.keep(1, value)
    value.fill_(5.0)

    assert losses.by_step(1) == [1.0]


def test_a_vector_counts_by_its_mean_and_double_keeps_its_digits():
    losses = Losses()
    losses.keep(1, torch.tensor([1.0, 2.0]))
    losses.keep(2, torch.tensor(1 / 3, dtype=torch.float64))

    assert losses.by_step(2) == [1.5, 1 / 3]


def test_more_losses_than_a_block_has_slots_keep_their_order():
    losses = Losses()
    for step in range(1, 601):
        losses.keep(step, torch.tensor(float(step)))

    assert losses.by_step(600) == [float(step) for step in range(1, 601)]


def test_slots_are_used_again_after_a_clear(monkeypatch):
    losses = Losses()
    for step in range(1, 301):
        losses.keep(step, torch.tensor(1.0))
    losses.keep(1, torch.tensor([1.0, 2.0]))
    losses.clear()
    assert losses.by_step(2) == [None, None]

    monkeypatch.setattr(torch, "empty", None)  # a second turn allocates nothing
    for step in range(1, 301):
        losses.keep(step, torch.tensor(2.0))
    assert losses.by_step(300) == [2.0] * 300
