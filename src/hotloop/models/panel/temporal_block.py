"""The recurrent and attending block over the window.

N samples, L steps, H hidden units, K heads.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from hotloop.models.panel.gated_residual import GatedResidual, dropout_of

_WAVELENGTHS = 10_000.0  # Vaswani et al. 2017


class TemporalBlock(nn.Module):
    """An LSTM, and self-attention with sinusoid positions, joined by a gated residual; (N, L, H) -> (N, L, H).

    Every step sees the whole window, which ends on the day of the forecast. Attention goes through torch's
    scaled_dot_product_attention.
    """

    positions: Tensor

    def __init__(self, hidden: int, *, heads: int, length: int, dropout: float = 0.0) -> None:
        super().__init__()
        if hidden % heads or hidden % 2:
            raise ValueError(f"got {hidden} hidden units and {heads} heads; an even multiple of the heads is needed")
        self.heads = heads
        self.inputs = nn.Linear(hidden, hidden)
        self.lstm = nn.LSTM(hidden, hidden, batch_first=True)
        self.queries_keys_values, self.attended = nn.Linear(hidden, 3 * hidden), nn.Linear(hidden, hidden)
        self.attention_norm, self.forward_norm = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.widen, self.narrow = nn.Linear(hidden, 4 * hidden), nn.Linear(4 * hidden, hidden)
        self.join = GatedResidual(2 * hidden, hidden, hidden, dropout=dropout)
        self.dropout = dropout_of(dropout)
        self.register_buffer("positions", _sinusoids(length, hidden), persistent=False)

    def forward(self, x_NLH: Tensor) -> Tensor:
        x_NLH = self.inputs(x_NLH)
        recurrent_NLH, _ = self.lstm(x_NLH)
        placed_NLH = x_NLH + self.positions
        seen_NLH = self.attention_norm(placed_NLH + self.dropout(self.attended(self._attention(placed_NLH))))
        wide_NLH = self.dropout(self.narrow(self.widen(seen_NLH).relu()))
        seen_NLH = self.forward_norm(seen_NLH + wide_NLH)
        return self.join(torch.cat([recurrent_NLH.to(seen_NLH.dtype), seen_NLH], dim=-1))

    def _attention(self, x_NLH: Tensor) -> Tensor:
        num, length, hidden = x_NLH.shape
        parts = self.queries_keys_values(x_NLH).view(num, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        queries_NKLC, keys_NKLC, values_NKLC = parts.unbind(0)
        # Without dropout of the weights, for which the fused operator on CPUs has no form.
        seen_NKLC = functional.scaled_dot_product_attention(queries_NKLC, keys_NKLC, values_NKLC)
        return seen_NKLC.transpose(1, 2).reshape(num, length, hidden)


def _sinusoids(length: int, hidden: int) -> Tensor:
    steps_L1 = torch.arange(length, dtype=torch.float32).unsqueeze(1)
    rates_W = torch.exp(torch.arange(0, hidden, 2) * (-torch.tensor(_WAVELENGTHS).log() / hidden))
    angles_LW = steps_L1 * rates_W
    return torch.stack([angles_LW.sin(), angles_LW.cos()], dim=-1).flatten(1)
