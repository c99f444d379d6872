"""What neighbours say, added to what the stock itself says.

N samples, H hidden units.
"""

from typing import Any

import torch
from torch import Tensor, nn

from hotloop.models.panel import plain
from hotloop.models.panel.widened import widened
from hotloop.models.panel.written_out import written_out

_TEMPERATURE, _FIRST_BIAS, _LEAST_LENGTH = 1.25, -0.5, 1e-6


class GatedFusion(nn.Module):
    """own + sigmoid(W [own; heard] / 1.25) heard, with `heard` first scaled to the length of `own`; (N, H).

    Never in half precision. Backward is written out, with half the operators that autograd would run; it cannot be
    differentiated again.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.gate = nn.Linear(2 * hidden, hidden)
        nn.init.constant_(self.gate.bias, _FIRST_BIAS)

    def forward(self, own_NH: Tensor, heard_NH: Tensor) -> Tensor:
        with torch.autocast(own_NH.device.type, enabled=False):
            own_NH, heard_NH, weights = widened(own_NH), widened(heard_NH), (self.gate.weight, self.gate.bias)
            if torch.compiler.is_compiling():
                return plain.fusion(own_NH, heard_NH, weights, 1.0 / _TEMPERATURE, _LEAST_LENGTH)
            return _Fusion.apply(own_NH, heard_NH, *weights)


class _Fusion(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own_NH: Tensor, heard_NH: Tensor, weight_HT: Tensor, bias_H: Tensor) -> Tensor:
        hidden = own_NH.shape[1]
        both_NT = torch.cat([own_NH, heard_NH], dim=1)
        lengths_N2 = torch.linalg.vector_norm(both_NT.view(-1, 2, hidden), dim=2).clamp_(min=_LEAST_LENGTH)
        ratio_N1 = lengths_N2[:, :1] / lengths_N2[:, 1:]
        scaled_NH = both_NT[:, hidden:].mul_(ratio_N1)
        rate = 1.0 / _TEMPERATURE
        gate_NH = torch.addmm(bias_H, both_NT, weight_HT.t(), beta=rate, alpha=rate).sigmoid_()
        ctx.save_for_backward(heard_NH, weight_HT, both_NT, lengths_N2, ratio_N1, gate_NH)
        return torch.addcmul(own_NH, gate_NH, scaled_NH)

    @staticmethod
    @written_out
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, ...]:
        heard_NH, weight_HT, both_NT, lengths_N2, ratio_N1, gate_NH = ctx.saved_tensors
        (grad_NH,) = grads
        own_NH, scaled_NH = both_NT.chunk(2, dim=1)
        logit_grad_NH = torch.ops.aten.sigmoid_backward(grad_NH * scaled_NH, gate_NH).mul_(1.0 / _TEMPERATURE)
        own_part_NH, scaled_part_NH = (logit_grad_NH @ weight_HT).chunk(2, dim=1)
        scaled_part_NH = torch.addcmul(scaled_part_NH, grad_NH, gate_NH)
        # By the ratio of the lengths, each of which grows along its own vector; one of length 0 has no direction.
        ratio_grad_N1 = (scaled_part_NH * heard_NH).sum(1, keepdim=True) / lengths_N2[:, 1:]
        along_own_N1, along_heard_N1 = (ratio_grad_N1 / lengths_N2).chunk(2, dim=1)
        own_grad_NH = torch.addcmul(own_part_NH.add_(grad_NH), own_NH, along_own_N1)
        heard_grad_NH = torch.addcmul(scaled_part_NH, heard_NH, along_heard_N1, value=-1.0).mul_(ratio_N1)
        return own_grad_NH, heard_grad_NH, logit_grad_NH.t() @ both_NT, logit_grad_NH.sum(0)
