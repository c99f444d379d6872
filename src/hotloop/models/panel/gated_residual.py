"""The gated residual block, one at a time and many at once.

R rows, F features, H hidden units, I inputs, O outputs.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


def dropout_of(share: float) -> nn.Module:
    """Dropout, or nothing at all for a share of 0."""
    return nn.Dropout(share) if share else nn.Identity()


class GatedResidual(nn.Module):
    """LayerNorm(g h + (1 - g) skip(x)) with h = W3 elu(W2 elu(W1 x)) and g = sigmoid(V2 relu(V1 x)); (R, I) -> (R, O).

    `skip` is the identity where I = O, else linear. W1, V1 and the skip are one product. Dropout is on h.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self._widths = [hidden, hidden] if inputs == outputs else [hidden, hidden, outputs]
        self.enter = nn.Linear(inputs, sum(self._widths))
        self.second, self.third = nn.Linear(hidden, hidden), nn.Linear(hidden, outputs)
        self.gate = nn.Linear(hidden, outputs)
        self.norm = nn.LayerNorm(outputs)
        self.dropout = dropout_of(dropout)

    def forward(self, x_RI: Tensor) -> Tensor:
        first_RH, gate_RH, *skip = self.enter(x_RI).split(self._widths, dim=-1)
        h_RO = self.dropout(self.third(functional.elu(self.second(functional.elu(first_RH)))))
        skip_RO = skip[0] if skip else x_RI
        return self.norm(torch.lerp(skip_RO.to(h_RO.dtype), h_RO, self.gate(gate_RH.relu()).sigmoid()))


class StackedGatedResidual(nn.Module):
    """F gated residual blocks of one input and H outputs each, as a handful of operators; (R, F) -> (F, R, H).

    Block f is `GatedResidual(1, H, H)` on feature f; `load_blocks` takes the weights of such ones. Weights begin as
    torch's linear layers do. Keeps about ten activations of R x F x H for backward, as a loop over blocks would.
    """

    def __init__(self, features: int, hidden: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        bias, many = (features, 1, hidden), (features, hidden, hidden)
        self.enter, self.enter_bias = _drawn((features, 1, 3 * hidden), 1), _drawn((features, 1, 3 * hidden), 1)
        self.second, self.second_bias = _drawn(many, hidden), _drawn(bias, hidden)
        self.third, self.third_bias = _drawn(many, hidden), _drawn(bias, hidden)
        self.gate, self.gate_bias = _drawn(many, hidden), _drawn(bias, hidden)
        self.norm, self.norm_bias = nn.Parameter(torch.ones(bias)), nn.Parameter(torch.zeros(bias))
        self.dropout = dropout_of(dropout)

    def forward(self, x_RF: Tensor) -> Tensor:
        entered_FRH = x_RF.t().unsqueeze(-1) * self.enter + self.enter_bias
        first_FRH, gate_FRH, skip_FRH = entered_FRH.chunk(3, dim=-1)
        h_FRH = torch.baddbmm(self.second_bias, functional.elu(first_FRH), self.second)
        h_FRH = self.dropout(torch.baddbmm(self.third_bias, functional.elu(h_FRH), self.third))
        gate_FRH = torch.baddbmm(self.gate_bias, gate_FRH.relu(), self.gate).sigmoid()
        mixed_FRH = torch.lerp(skip_FRH.to(h_FRH.dtype), h_FRH, gate_FRH)
        return functional.layer_norm(mixed_FRH, mixed_FRH.shape[-1:]) * self.norm + self.norm_bias

    @torch.no_grad()
    def load_blocks(self, blocks: list[GatedResidual]) -> None:
        """Take the weights of F blocks of one input and H outputs."""
        for name in ("enter", "second", "third", "gate"):
            layers = [block.get_submodule(name) for block in blocks]
            getattr(self, name).copy_(torch.stack([layer.get_parameter("weight").t() for layer in layers]))
            biases = torch.stack([layer.get_parameter("bias") for layer in layers])
            getattr(self, f"{name}_bias").copy_(biases.unsqueeze(1))
        self.norm.copy_(torch.stack([block.norm.weight for block in blocks]).unsqueeze(1))
        self.norm_bias.copy_(torch.stack([block.norm.bias for block in blocks]).unsqueeze(1))


def _drawn(shape: tuple[int, int, int], fan_in: int) -> nn.Parameter:
    limit = 1.0 / math.sqrt(fan_in)
    return nn.Parameter(torch.empty(shape).uniform_(-limit, limit))
