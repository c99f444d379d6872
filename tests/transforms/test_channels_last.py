"""Convolutional models in channels_last."""

import torch
from torch import nn

from hotloop.transforms.channels_last import ChannelsLast, applied


def test_channels_last_has_nothing_to_do_on_an_mlp(under, mlp):
    started, hooks = under(ChannelsLast())
    with hooks:
        mlp(torch.randn(3, 4))
    assert "no 2-d convolution" in started.refused["channels_last"]


def test_images_go_through_the_model_in_channels_last_and_weights_and_outputs_are_the_plain_ones(under):
    seen = []
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3))
    for convolution in (model[0], model[2]):
        convolution.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    started, hooks = under(ChannelsLast())
    with hooks:
        output = model(torch.randn(2, 3, 8, 8))
        output.sum().backward()
    assert started.applied["channels_last"] == 1
    assert started.not_applied() == {}
    assert all(image.is_contiguous(memory_format=torch.channels_last) for image in seen)
    assert all(p.is_contiguous() and p.grad.is_contiguous() for p in model.parameters())
    assert output.is_contiguous()


def test_images_given_by_name_are_converted_too(under):
    class Named(nn.Conv2d):
        def forward(self, *, image):
            assert image.is_contiguous(memory_format=torch.channels_last)
            return super().forward(image)

    _, hooks = under(ChannelsLast())
    with hooks:
        Named(3, 4, 3)(image=torch.randn(2, 3, 8, 8))


def test_a_model_that_is_given_no_image_has_not_been_changed(under):
    applied.clear()

    class Still(nn.Conv2d):
        def forward(self, _):
            return self.weight.sum()

    started, hooks = under(ChannelsLast())
    with hooks:
        model = Still(3, 4, 3)
        model(torch.ones(1))
    assert "no root module was given an image batch" in started.not_applied()["channels_last"]


def test_an_image_of_one_channel_is_converted_although_both_layouts_hold_of_it(under):
    applied.clear()
    seen = []
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3))
    for convolution in (model[0], model[2]):
        convolution.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].stride()))
    started, hooks = under(ChannelsLast())
    with hooks:
        model(torch.randn(2, 1, 8, 8))
    assert started.not_applied() == {}
    assert seen == [(64, 1, 8, 1), (144, 1, 24, 4)]
