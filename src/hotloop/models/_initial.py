"""Initial weights of sine networks: uniform, with a bound that keeps each layer's angles in scale.

Source: Sitzmann et al. 2020 (arXiv:2006.09661), section 3.2. The order of the draws (weight, then bias) is part of the
contract: equal seeds give equal networks.
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

Affine = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d


def draw_first(layer: Affine) -> None:
    """Draws weight and bias from U(-1/n, 1/n), n the number of inputs of one output."""
    _draw(layer, 1.0 / fan_in(layer.weight))


def draw_layers(layers: Iterable[Affine], w0: float) -> None:
    """Draws the first of `layers` as such, the others as hidden layers."""
    for number, layer in enumerate(layers):
        if number == 0:
            draw_first(layer)
        else:
            draw_hidden(layer, w0)


def draw_hidden(layer: Affine, w0: float) -> None:
    """Draws weight and bias from U(-b, b), b = sqrt(6/n)/w0, n the number of inputs of one output."""
    _draw(layer, math.sqrt(6.0 / fan_in(layer.weight)) / w0)


def draw_wave(module: nn.Module, *, first_w0: float, hidden_w0: float) -> None:
    """Draws the weights of all linear layers inside `module` in order, the first with `first_w0`; biases become 0."""
    w0 = first_w0
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            _draw_weight(layer, math.sqrt(6.0 / layer.in_features) / w0)
            w0 = hidden_w0


def fan_in(weight: Tensor) -> int:
    """How many inputs feed one output."""
    return math.prod(weight.shape[1:])


@torch.no_grad()
def _draw(layer: Affine, bound: float) -> None:
    layer.weight.uniform_(-bound, bound)
    if layer.bias is not None:  # pyright: ignore[reportUnnecessaryComparison]  # torch's stub knows no bias=False
        layer.bias.uniform_(-bound, bound)


@torch.no_grad()
def _draw_weight(layer: nn.Linear, bound: float) -> None:
    parametrized = getattr(layer, "parametrizations", None)
    if parametrized is None:
        layer.weight.uniform_(-bound, bound)
    else:  # weight norm: direction drawn, magnitude 1, as in the origin
        parametrized.weight.original1.uniform_(-bound, bound)
        parametrized.weight.original0.fill_(1.0)
    if layer.bias is not None:  # pyright: ignore[reportUnnecessaryComparison]
        layer.bias.zero_()
