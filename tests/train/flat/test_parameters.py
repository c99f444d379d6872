import pytest
import torch
from torch import nn

from hotloop.errors import WorkloadError
from hotloop.train.flat.parameters import FlatParameters


def test_parameters_and_gradients_are_views_of_two_vectors():
    model = nn.Linear(3, 2)
    before = [parameter.clone() for parameter in model.parameters()]
    flat = FlatParameters(model)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), before, strict=True))
    model(torch.ones(1, 3)).sum().backward()
    assert flat.grads.tolist() == [1.0] * 8
    flat.values.zero_()
    assert not model.weight.any()


def test_memory_formats_are_kept():
    model = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
    FlatParameters(model)
    assert model.weight.is_contiguous(memory_format=torch.channels_last)
    assert model.weight.grad.is_contiguous(memory_format=torch.channels_last)


def test_frozen_parameters_stay_where_they_are():
    model = nn.Linear(3, 2)
    model.weight.requires_grad_(False)
    assert FlatParameters(model).values.numel() == 2


def test_parameters_that_moved_are_noticed():
    model = nn.Linear(3, 2)
    flat = FlatParameters(model)
    flat.check(model)
    model.weight.data = model.weight.data.clone()
    with pytest.raises(WorkloadError, match="in place only"):
        flat.check(model)


def test_mixed_kinds_are_refused():
    with pytest.raises(ValueError, match="one floating dtype"):
        FlatParameters(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).double()))
