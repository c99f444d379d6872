"""A linear layer beside what goes past it.

R rows, I inputs, O outputs.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from hotloop.models.panel.gated_residual import product_dtype
from hotloop.models.panel.written_out import written_out


def linear_beside(layer: nn.Linear, x: Tensor) -> tuple[Tensor, Tensor]:
    """`layer(x)`, and x itself for whoever else needs it: backward adds both gradients up within one product.

    Under autocast, where the gradients differ in their dtypes, and in a compiler it is the layer and x. It cannot be
    differentiated again.
    """
    if torch.compiler.is_compiling() or product_dtype(x, layer.weight) != x.dtype:
        return layer(x), x
    y_RO, x_RI = _LinearBeside.apply(x.flatten(0, -2), layer.weight, layer.bias)
    return y_RO.view(*x.shape[:-1], -1), x_RI.view(x.shape)


class _LinearBeside(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_RI: Tensor, weight_OI: Tensor, bias_O: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x_RI, weight_OI)
        return functional.linear(x_RI, weight_OI, bias_O), x_RI.view_as(x_RI)

    @staticmethod
    @written_out
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, ...]:
        x_RI, weight_OI = ctx.saved_tensors
        y_grad_RO, x_grad_RI = grads
        return torch.addmm(x_grad_RI, y_grad_RO, weight_OI), y_grad_RO.t() @ x_RI, y_grad_RO.sum(0)
