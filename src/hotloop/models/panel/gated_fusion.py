"""What neighbours say, added to what the stock itself says.

N samples, H hidden units.
"""

import torch
from torch import Tensor, nn

_TEMPERATURE, _FIRST_BIAS, _EPSILON = 1.25, -0.5, 1e-6


class GatedFusion(nn.Module):
    """own + sigmoid(W [own; heard] / 1.25) heard, with `heard` first scaled to the length of `own`; (N, H)."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.gate = nn.Linear(2 * hidden, hidden)
        nn.init.constant_(self.gate.bias, _FIRST_BIAS)

    def forward(self, own_NH: Tensor, heard_NH: Tensor) -> Tensor:
        length_N1 = torch.linalg.vector_norm(own_NH, dim=1, keepdim=True)
        heard_NH = heard_NH * (length_N1 / (torch.linalg.vector_norm(heard_NH, dim=1, keepdim=True) + _EPSILON))
        gate_NH = (self.gate(torch.cat([own_NH, heard_NH], dim=1)) / _TEMPERATURE).sigmoid()
        return own_NH + gate_NH * heard_NH
