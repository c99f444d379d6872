import torch
from torch import nn

from hotloop import registry
from hotloop.train.strategies.supervised import Supervised


def test_it_is_registered_under_its_name():
    assert registry.load("strategies", "supervised") is Supervised


def test_ignored_targets_are_not_counted():
    strategy = Supervised(criterion=nn.functional.cross_entropy, ignore_index=-100)
    loss = strategy.loss(nn.Identity(), (torch.randn(4, 3), torch.tensor([0, -100, 2, -100])))
    assert loss.count == 2
