"""Variable selection as a loop over features, as the found model has it: the baseline of the stacked one."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from hotloop.models.panel.variable_selection import VariableSelection


class PlainGatedResidual(nn.Module):
    """The gated residual block as plain layers, differentiated by autograd; W1, V1 and the skip are one of them."""

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self._widths = [hidden, hidden] if inputs == outputs else [hidden, hidden, outputs]
        self.enter = nn.Linear(inputs, sum(self._widths))
        self.second, self.third = nn.Linear(hidden, hidden), nn.Linear(hidden, outputs)
        self.gate = nn.Linear(hidden, outputs)
        self.norm = nn.LayerNorm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        first, gate, *skip = self.enter(x).split(self._widths, dim=-1)
        h = self.third(functional.elu(self.second(functional.elu(first))))
        return self.norm(torch.lerp(skip[0] if skip else x, h, self.gate(gate.relu()).sigmoid()))


class LoopedSelection(nn.Module):
    """The same sums as `VariableSelection`, one network of one feature after the other."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.gate = PlainGatedResidual(features, hidden, features)
        self.blocks = nn.ModuleList(PlainGatedResidual(1, hidden, hidden) for _ in range(features))

    def forward(self, x_NLF: Tensor) -> tuple[Tensor, Tensor]:
        weights_NLF = self.gate(x_NLF).sigmoid()
        total = x_NLF.new_zeros(())
        for number, block in enumerate(self.blocks):
            total = total + weights_NLF[..., number : number + 1] * block(x_NLF[..., number : number + 1])
        return total, weights_NLF

    def stacked(self) -> VariableSelection:
        """The stacked form with the same weights."""
        features, hidden = len(self.blocks), self.gate.second.in_features
        other = VariableSelection(features, hidden)
        other.gate.load_state_dict(self.gate.state_dict())
        other.each.load_blocks(list(self.blocks))
        return other


def both(features: int, hidden: int, seed: int = 0) -> tuple[LoopedSelection, VariableSelection]:
    """Both forms with the same weights."""
    torch.manual_seed(seed)
    looped = LoopedSelection(features, hidden)
    return looped, looped.stacked()
