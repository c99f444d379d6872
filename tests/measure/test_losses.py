import torch

from hotloop.measure import losses as module
from hotloop.measure.losses import Losses


def test_a_step_has_the_mean_of_what_was_differentiated_in_it_and_none_where_nothing_was():
    losses = Losses()
    losses.keep(0, torch.tensor(1.0))
    losses.keep(2, torch.tensor(2.0, dtype=torch.bfloat16))
    losses.keep(2, torch.tensor([3.0, 5.0]))
    losses.keep(3, torch.tensor(9.0))
    assert losses.read(3) == [1.0, None, 3.0]


def test_a_loss_that_is_changed_in_place_afterwards_is_kept_as_it_was():
    losses, value = Losses(), torch.tensor(1.0)
    losses.keep(0, value)
    value.mul_(3.0)
    assert losses.read(1) == [1.0]


def test_more_losses_than_one_piece_of_memory_holds_are_kept_and_forgotten(monkeypatch):
    monkeypatch.setattr(module, "_LONG", 4)
    losses = Losses()
    for turn in range(2):
        for step in range(10):
            losses.keep(step, torch.tensor(float(step + turn)))
        assert losses.read(10) == [float(step + turn) for step in range(10)]
        losses.clear()
    assert losses.read(1) == [None]
