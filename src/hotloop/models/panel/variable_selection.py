"""Which features matter: a gate for each, and the sum of what each says, without a loop over features.

N samples, L steps, F features, H hidden units.
"""

from torch import Tensor, nn

from hotloop.models.panel.gated_residual import GatedResidual
from hotloop.models.panel.stacked_residual import StackedGatedResidual
from hotloop.models.panel.widened import widened


class VariableSelection(nn.Module):
    """sum_f w_f GRN_f(x_f) with w = sigmoid(GRN(x)); (N, L, F) -> (N, L, H) and the weights (N, L, F).

    The weights are worked out in float32 at least, also under autocast.
    """

    def __init__(self, features: int, hidden: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.gate = GatedResidual(features, hidden, features, dropout=dropout)
        self.each = StackedGatedResidual(features, hidden, dropout=dropout)

    def forward(self, x_NLF: Tensor) -> tuple[Tensor, Tensor]:
        x_RF = x_NLF.flatten(0, 1)
        weights_RF = widened(self.gate(x_RF)).sigmoid()
        chosen_RH = self.each(x_RF, weights_RF)
        return chosen_RH.view(*x_NLF.shape[:2], -1), weights_RF.view(x_NLF.shape)
