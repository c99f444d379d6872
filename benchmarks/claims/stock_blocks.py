"""Blocks of the stock-panel model, as found and restated: variable selection, TFT, FAN and SAN, GAT, heads.

Shapes: B samples, L days, N = B x L, F features, H hidden units, K attention heads, E edges, S stocks.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

WINDOWS = (5, 10, 20)
QUANTILES = 5
HORIZONS = (1, 5, 10, 20)
LEAST_DEVIATION = 1e-4


class Grn(nn.Module):
    """Gated residual block: LayerNorm(g h + (1 - g) skip), h = W3 elu(W2 elu(W1 x)), g = sigmoid(V2 relu(V1 x))."""

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.w1, self.w2, self.w3 = nn.Linear(inputs, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, outputs)
        self.v1, self.v2 = nn.Linear(inputs, hidden), nn.Linear(hidden, outputs)
        self.skip, self.norm = nn.Linear(inputs, outputs), nn.LayerNorm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        h = self.w3(functional.elu(self.w2(functional.elu(self.w1(x)))))
        g = torch.sigmoid(self.v2(torch.relu(self.v1(x))))
        return self.norm(g * h + (1 - g) * self.skip(x))


class LoopedSelection(nn.Module):
    """Variable selection as found: sum over features of gate x GRN of that one feature, in a Python loop."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.gate = Grn(features, hidden, features)
        self.features = nn.ModuleList(Grn(1, hidden, hidden) for _ in range(features))

    def forward(self, x_BLF: Tensor) -> Tensor:
        gate_BLF = torch.sigmoid(self.gate(x_BLF))
        total: Tensor | int = 0
        for number, grn in enumerate(self.features):
            total = total + gate_BLF[..., number : number + 1] * grn(x_BLF[..., number : number + 1])
        return total


class StackedSelection(nn.Module):
    """The same with the weights of all features stacked: a batched product in place of the loop."""

    def __init__(self, looped: LoopedSelection) -> None:
        super().__init__()
        self.gate = looped.gate
        for name in ("w1", "w2", "w3", "v1", "v2", "skip"):
            layers = [getattr(grn, name) for grn in looped.features]
            weights = torch.stack([layer.weight.detach().T for layer in layers])
            setattr(self, f"{name}_weight", nn.Parameter(weights))
            setattr(self, f"{name}_bias", nn.Parameter(torch.stack([layer.bias.detach() for layer in layers])[:, None]))
        for name in ("weight", "bias"):
            stacked = torch.stack([getattr(grn.norm, name).detach() for grn in looped.features])
            setattr(self, f"norm_{name}", nn.Parameter(stacked[:, None]))

    def forward(self, x_BLF: Tensor) -> Tensor:
        gate_BLF = torch.sigmoid(self.gate(x_BLF))
        x_FN1 = x_BLF.flatten(0, 1).T[..., None]
        h_FNH = functional.elu(self._layer("w1", x_FN1))
        h_FNH = self._layer("w3", functional.elu(self._layer("w2", h_FNH)))
        g_FNH = torch.sigmoid(self._layer("v2", torch.relu(self._layer("v1", x_FN1))))
        mixed_FNH = functional.layer_norm(g_FNH * h_FNH + (1 - g_FNH) * self._layer("skip", x_FN1), mixed_shape(h_FNH))
        each_FNH = mixed_FNH * self.norm_weight + self.norm_bias
        total_NH = torch.einsum("fnh,nf->nh", each_FNH, gate_BLF.flatten(0, 1))
        return total_NH.view(*x_BLF.shape[:2], -1)

    def _layer(self, name: str, x: Tensor) -> Tensor:
        return torch.baddbmm(getattr(self, f"{name}_bias"), x, getattr(self, f"{name}_weight"))


def mixed_shape(h: Tensor) -> Sequence[int]:
    """What a LayerNorm over the last dimension wants to know."""
    return h.shape[-1:]


class Tft(nn.Module):
    """Linear, LSTM, self-attention with sinusoid positions, feed-forward, GRN over both."""

    def __init__(self, hidden: int, *, heads: int = 4, days: int = 20) -> None:
        super().__init__()
        self.project, self.lstm = nn.Linear(hidden, hidden), nn.LSTM(hidden, hidden, batch_first=True)
        self.attention = nn.MultiheadAttention(hidden, heads, batch_first=True)
        self.feed = nn.Sequential(nn.Linear(hidden, 4 * hidden), nn.ReLU(), nn.Linear(4 * hidden, hidden))
        self.norm1, self.norm2 = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.grn = Grn(2 * hidden, hidden, hidden)
        angle = torch.arange(days)[:, None] / 10_000 ** (torch.arange(0, hidden, 2) / hidden)
        self.register_buffer("position_LH", torch.cat([angle.sin(), angle.cos()], dim=1))

    def forward(self, x_BLH: Tensor) -> Tensor:
        x_BLH = self.project(x_BLH)
        recurrent_BLH = self.lstm(x_BLH)[0]
        placed_BLH = recurrent_BLH + self.position_LH[: x_BLH.shape[1]]
        seen_BLH = self.norm1(placed_BLH + self.attention(placed_BLH, placed_BLH, placed_BLH, need_weights=False)[0])
        seen_BLH = self.norm2(seen_BLH + self.feed(seen_BLH))
        return self.grn(torch.cat([recurrent_BLH, seen_BLH], dim=-1))


class Heads(nn.Module):
    """A shared layer, then a small network for each horizon that gives quantiles times a learnable scale."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        half = hidden // 2
        self.shared = nn.Sequential(nn.Linear(hidden, half), nn.ReLU())
        self.each = nn.ModuleDict(
            {
                f"horizon_{days}d": nn.Sequential(nn.Linear(half, half), nn.ReLU(), nn.Linear(half, QUANTILES))
                for days in HORIZONS
            }
        )
        self.scale = nn.Parameter(torch.ones(len(HORIZONS)))

    def forward(self, x_BLH: Tensor) -> dict[str, Tensor]:
        shared_BH = self.shared(x_BLH[:, -1])
        return {name: head(shared_BH) * self.scale[number] for number, (name, head) in enumerate(self.each.items())}


def fan_by_windows(x_BLH: Tensor, window: int) -> Tensor:
    """Rolling z-score as found: every window unfolded; the first day is repeated on the left."""
    padded_BPH = torch.cat([x_BLH[:, :1].expand(-1, window - 1, -1), x_BLH], dim=1)
    windows_BLHW = padded_BPH.unfold(1, window, 1)
    deviation_BLH = windows_BLHW.std(dim=-1, unbiased=False).clamp_min(LEAST_DEVIATION)
    return (x_BLH - windows_BLHW.mean(dim=-1)) / deviation_BLH


def fan_by_pooling(x_BLH: Tensor, window: int) -> Tensor:
    """The same from two average poolings.

    The first day is subtracted first: windows that are nearly constant lie next to it, so their squares cancel little.
    """
    centred_BHL = (x_BLH - x_BLH[:, :1]).transpose(1, 2)
    padded_BHP = functional.pad(centred_BHL, (window - 1, 0), mode="replicate")
    mean_BHL = functional.avg_pool1d(padded_BHP, window, 1)
    square_BHL = functional.avg_pool1d(padded_BHP**2, window, 1)
    deviation_BHL = (square_BHL - mean_BHL**2).clamp_min(LEAST_DEVIATION**2).sqrt()
    return ((centred_BHL - mean_BHL) / deviation_BHL).transpose(1, 2)


class Fan(nn.Module):
    """Softmax-weighted rolling z-scores over three windows."""

    def __init__(self, hidden: int, z_score: Callable[[Tensor, int], Tensor] = fan_by_windows) -> None:
        super().__init__()
        self.mix_WH = nn.Parameter(torch.zeros(len(WINDOWS), hidden))
        self.z_score = z_score

    def forward(self, x_BLH: Tensor) -> Tensor:
        scores_WBLH = torch.stack([self.z_score(x_BLH, window) for window in WINDOWS])
        return (self.mix_WH.softmax(0)[:, None, None] * scores_WBLH).sum(0)


class Model(nn.Module):
    """The train path in the order found: selection, TFT, last day copied to all days, FAN added, heads.

    With `checked`, each block is followed by the finite check that the found code makes in Python.
    """

    def __init__(self, selection: nn.Module, *, hidden: int, checked: bool = False) -> None:
        super().__init__()
        self.selection, self.checked = selection, checked
        self.project = nn.Sequential(nn.Linear(hidden, hidden), nn.LayerNorm(hidden))
        self.tft, self.fan, self.heads = Tft(hidden), Fan(hidden), Heads(hidden)

    def forward(self, x_BLF: Tensor) -> dict[str, Tensor]:
        x_BLH = self._finite(self.project(self._finite(self.selection(x_BLF))))
        last_B1H = self._finite(self.tft(x_BLH))[:, -1:]
        copies_BLH = last_B1H.expand_as(x_BLH)
        outputs = self.heads(self._finite(copies_BLH + self.fan(copies_BLH)))
        return {name: self._finite(output) for name, output in outputs.items()}

    def _finite(self, x: Tensor) -> Tensor:
        if self.checked and not torch.isfinite(x).all():
            return torch.nan_to_num(x)
        return x


class Gat(nn.Module):
    """Attention over edges of a graph of stocks; heads one by one as found, or all at once."""

    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        self.weight_KHD = nn.Parameter(torch.randn(heads, hidden, hidden // heads) / hidden**0.5)
        self.source_KD = nn.Parameter(torch.randn(heads, hidden // heads))
        self.target_KD = nn.Parameter(torch.randn(heads, hidden // heads))

    def one_by_one(self, x_SH: Tensor, edges_2E: Tensor) -> Tensor:
        source_E, target_E = edges_2E
        parts = []
        for head in range(len(self.weight_KHD)):
            z_SD = x_SH @ self.weight_KHD[head]
            score_E = (z_SD @ self.source_KD[head])[source_E] + (z_SD @ self.target_KD[head])[target_E]
            score_E = functional.leaky_relu(score_E, 0.2)
            highest_S = torch.full_like(z_SD[:, 0], -torch.inf).scatter_reduce(0, target_E, score_E, "amax")
            weight_E = (score_E - highest_S[target_E]).exp()
            total_S = torch.zeros_like(z_SD[:, 0]).index_add(0, target_E, weight_E)
            share_E = weight_E / total_S[target_E]
            parts.append(torch.zeros_like(z_SD).index_add(0, target_E, share_E[:, None] * z_SD[source_E]))
        return torch.cat(parts, dim=1)

    def all_at_once(self, x_SH: Tensor, edges_2E: Tensor) -> Tensor:
        source_E, target_E = edges_2E
        z_SKD = torch.einsum("sh,khd->skd", x_SH, self.weight_KHD)
        score_EK = (z_SKD * self.source_KD).sum(-1)[source_E] + (z_SKD * self.target_KD).sum(-1)[target_E]
        score_EK = functional.leaky_relu(score_EK, 0.2)
        index_EK = target_E[:, None].expand_as(score_EK)
        highest_SK = torch.full_like(z_SKD[..., 0], -torch.inf).scatter_reduce(0, index_EK, score_EK, "amax")
        weight_EK = (score_EK - highest_SK[target_E]).exp()
        total_SK = torch.zeros_like(z_SKD[..., 0]).index_add(0, target_E, weight_EK)
        share_EK = weight_EK / total_SK[target_E]
        return torch.zeros_like(z_SKD).index_add(0, target_E, share_EK[..., None] * z_SKD[source_E]).flatten(1)


class MixtureHead(nn.Module):
    """A head whose experts are mixed by the market's regime."""

    def __init__(self, hidden: int, experts: int = 3) -> None:
        super().__init__()
        self.experts = nn.ModuleList(nn.Linear(hidden, 1) for _ in range(experts))
        self.gate = nn.Linear(2, experts)

    def forward(self, x_BH: Tensor, regime_B2: Tensor | None = None) -> Tensor:
        regime_B2 = torch.zeros(len(x_BH), 2) if regime_B2 is None else regime_B2
        outputs_BK = torch.cat([expert(x_BH) for expert in self.experts], dim=1)
        return (outputs_BK * self.gate(regime_B2).softmax(dim=1)).sum(dim=1)


def call_by_signature(head: Any, x_BH: Tensor, regime_B2: Tensor) -> Tensor:
    """As found: whether the head takes a regime is read off the variable names of its forward, at each call."""
    if "regime_B2" in head.forward.__code__.co_varnames:
        return head(x_BH, regime_B2)
    return head(x_BH)
