"""Variable selection as a loop over features, as the found model has it: the baseline of the stacked one."""

import torch
from torch import Tensor, nn

from hotloop.models.panel.gated_residual import GatedResidual
from hotloop.models.panel.variable_selection import VariableSelection


class LoopedSelection(nn.Module):
    """The same sums as `VariableSelection`, one network of one feature after the other."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.gate = GatedResidual(features, hidden, features)
        self.blocks = nn.ModuleList(GatedResidual(1, hidden, hidden) for _ in range(features))

    def forward(self, x_NLF: Tensor) -> tuple[Tensor, Tensor]:
        weights_NLF = self.gate(x_NLF).float().sigmoid()
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
