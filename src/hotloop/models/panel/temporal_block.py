"""The recurrent and attending block over the window.

N samples, L steps, H hidden units, K heads.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from hotloop.models.panel.gated_residual import GatedResidual, dropout_of
from hotloop.models.panel.linear_beside import linear_beside

_WAVELENGTHS = 10_000.0  # Vaswani et al. 2017


class TemporalBlock(nn.Module):
    """An LSTM, and self-attention with sinusoid positions, joined by a gated residual; (N, L, H) -> (N, L, H).

    Every step sees the whole window, which ends on the day of the forecast. Attention goes through torch's
    scaled_dot_product_attention.
    """

    positions: Tensor
    start: Tensor

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
        self.register_buffer("start", torch.zeros(1, 1, hidden), persistent=False)

    def forward(self, x_NLH: Tensor) -> Tensor:
        x_NLH = self.inputs(x_NLH)
        start_1NH = self.start.expand(1, len(x_NLH), -1)
        recurrent_NLH, _ = self.lstm(x_NLH, (start_1NH, start_1NH))
        parts_NLT, placed_NLH = linear_beside(self.queries_keys_values, x_NLH + self.positions)
        seen_NLH = self.attention_norm(placed_NLH + self.dropout(self.attended(self._attention(parts_NLT))))
        wide_NLW, seen_NLH = linear_beside(self.widen, seen_NLH)
        seen_NLH = self.forward_norm(seen_NLH + self.dropout(self.narrow(wide_NLW.relu())))
        return self.join(torch.cat([recurrent_NLH.to(seen_NLH.dtype), seen_NLH], dim=-1))

    def _attention(self, parts_NLT: Tensor) -> Tensor:
        num, length, width = parts_NLT.shape
        queries_NKLC, keys_NKLC, values_NKLC = (
            part.view(num, length, self.heads, -1).transpose(1, 2) for part in parts_NLT.chunk(3, dim=-1)
        )
        # Without dropout of the weights, for which the fused operator on CPUs has no form.
        seen_NKLC = functional.scaled_dot_product_attention(queries_NKLC, keys_NKLC, values_NKLC)
        return seen_NKLC.transpose(1, 2).reshape(num, length, width // 3)


def _sinusoids(length: int, hidden: int) -> Tensor:
    steps_L1 = torch.arange(length, dtype=torch.float32).unsqueeze(1)
    rates_W = torch.exp(torch.arange(0, hidden, 2) * (-torch.tensor(_WAVELENGTHS).log() / hidden))
    angles_LW = steps_L1 * rates_W
    return torch.stack([angles_LW.sin(), angles_LW.cos()], dim=-1).flatten(1)
