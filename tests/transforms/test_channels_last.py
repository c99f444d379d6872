"""Convolutional models in channels_last."""

import torch
from torch import nn

from hotloop.transforms.channels_last import ChannelsLast


def test_channels_last_has_nothing_to_do_on_an_mlp(under, mlp):
    started, hooks = under(ChannelsLast())
    with hooks:
        mlp(torch.randn(3, 4))
    assert "no 2-d convolution" in started.refused["channels_last"]


def test_channels_last_lays_out_weights_and_images(under):
    seen = []
    model = nn.Sequential(nn.Conv2d(3, 4, 3))
    model[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    started, hooks = under(ChannelsLast())
    with hooks:
        model(torch.randn(2, 3, 8, 8))
    assert started.applied["channels_last"] == 1
    assert model[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert seen[0].is_contiguous(memory_format=torch.channels_last)
