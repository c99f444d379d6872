"""The stock-panel network: variable selection, temporal block, adaptive normalisation, graph attention, heads.

N samples of D days, L steps, F features, H hidden units.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from hotloop.kernels.segments import Segments
from hotloop.models.panel.adaptive_normalization import AdaptiveNormalization
from hotloop.models.panel.day_neighbors import EDGE_FEATURES, Days, day_neighbors
from hotloop.models.panel.forecast import Forecast
from hotloop.models.panel.gated_fusion import GatedFusion
from hotloop.models.panel.gated_residual import dropout_of
from hotloop.models.panel.graph_attention import GraphAttention
from hotloop.models.panel.horizon_heads import DirectionHead, QuantileHead, StudentHead
from hotloop.models.panel.linear_beside import linear_beside
from hotloop.models.panel.temporal_block import TemporalBlock
from hotloop.models.panel.variable_selection import VariableSelection


@dataclass(frozen=True, kw_only=True)
class PanelNetworkOptions:
    """Sizes and parts of the network. `neighbors` 0 leaves the graph out, `spans` () the adaptive normalisation.

    `experts` above 1 mixes that many heads by what the day as a whole is like.
    """

    hidden: int = 64
    heads: int = 4
    horizons: int = 4
    levels: tuple[float, ...] = (0.05, 0.25, 0.5, 0.75, 0.95)
    dropout: float = 0.1
    spans: tuple[int, ...] = (5, 10, 20)
    neighbors: int = 10
    graph_heads: tuple[int, int] = (8, 4)
    edge_dropout: float = 0.1
    experts: int = 1
    has_student: bool = False
    has_direction: bool = False

    def __post_init__(self) -> None:
        levels = self.levels
        if list(levels) != sorted(set(levels)) or len(levels) % 2 == 0 or levels[len(levels) // 2] != 0.5:
            raise ValueError(f"got the levels {levels}; they ascend, and 0.5 stands in the middle: change them")
        if self.hidden % self.heads or self.hidden % self.graph_heads[0] or self.hidden % 2:
            raise ValueError(
                f"got {self.hidden} hidden units, {self.heads} heads and {self.graph_heads[0]} graph heads; the units "
                "must be even and divide by both: choose another number"
            )
        if not 0.0 <= self.dropout < 1.0 or not 0.0 <= self.edge_dropout < 1.0 or self.experts < 1:
            raise ValueError(
                f"got dropout {self.dropout}, edge_dropout {self.edge_dropout} and {self.experts} experts; shares are "
                "from 0 to below 1, and there is at least one expert: change them"
            )


class ATFTGATFAN(nn.Module):
    """A `Forecast` for each of N windows (N, L, F) of whole days, which hear one another within their day alone.

    One after the other: selection, projection, temporal block, adaptive normalisation over the L steps, last step,
    graph, heads.
    Which parts there are is decided when it is made; a forward reads nothing from the device and looks at no
    environment variable. A day's forecast depends on its own windows alone, so on nothing later.
    """

    name: ClassVar[str] = "atft_gat_fan"

    def __init__(self, features: int, length: int, options: PanelNetworkOptions | None = None) -> None:
        super().__init__()
        asked = self.options = options or PanelNetworkOptions()
        hidden, half = asked.hidden, asked.hidden // 2
        self.selection = VariableSelection(features, hidden, dropout=asked.dropout)
        self.projection = nn.Sequential(nn.Linear(hidden, hidden), nn.LayerNorm(hidden), dropout_of(asked.dropout))
        self.temporal = TemporalBlock(hidden, heads=asked.heads, length=length, dropout=asked.dropout)
        self.normalization = AdaptiveNormalization(hidden, length=length, spans=asked.spans) if asked.spans else None
        self.graph = _DayGraph(asked) if asked.neighbors else None
        self.shared = nn.Sequential(nn.Linear(hidden, half), nn.ReLU(), dropout_of(asked.dropout))
        shape = {"horizons": asked.horizons, "experts": asked.experts}
        self.quantiles = QuantileHead(half, quantiles=len(asked.levels), **shape)
        self.student = StudentHead(half, **shape) if asked.has_student else None
        self.direction = DirectionHead(half, **shape) if asked.has_direction else None

    def forward(self, features_NLF: Tensor, days: Days) -> Forecast:
        """The forecast of each window; `days` says which of them are of one day."""
        chosen_NLH, weights_NLF = self.selection(features_NLF)
        steps_NLH = self.temporal(self.projection(chosen_NLH))
        if self.normalization is not None:
            steps_NLH = self.normalization(steps_NLH)
        last_NH = steps_NLH[:, -1]
        if self.graph is not None and days.largest > 1:
            last_NH = self.graph(last_NH, days)
        shared_NI = self.shared(last_NH)
        regime_NI = _day_means(shared_NI, days) if self.options.experts > 1 else shared_NI
        return Forecast(
            quantiles=self.quantiles(shared_NI, regime_NI),
            student=None if self.student is None else self.student(shared_NI, regime_NI),
            direction=None if self.direction is None else self.direction(shared_NI, regime_NI),
            selection=weights_NLF,
        )


class _DayGraph(nn.Module):
    """Two layers of attention between the stocks of a day, fused with what each says itself; (N, H) -> (N, H)."""

    order: Tensor

    def __init__(self, options: PanelNetworkOptions) -> None:
        super().__init__()
        hidden, (first, second) = options.hidden, options.graph_heads
        dropped = options.edge_dropout
        self._most = options.neighbors
        self.first = GraphAttention(
            hidden, hidden // first, heads=first, edge_features=EDGE_FEATURES, edge_dropout=dropped
        )
        self.second = GraphAttention(
            hidden, hidden, heads=second, edge_features=EDGE_FEATURES, is_averaged=True, edge_dropout=dropped
        )
        self.fusion = GatedFusion(hidden)
        self.register_buffer("order", torch.linspace(0.0, 1.0, options.neighbors), persistent=False)

    def forward(self, own_NH: Tensor, days: Days) -> Tensor:
        near = day_neighbors(own_NH, days, most=self._most, order_J=self.order)
        both_NT, own_NH = linear_beside(self.first.source_and_target, own_NH)
        heard_NH = functional.elu(self.first.heard(both_NT, near))
        return self.fusion(own_NH, self.second(heard_NH, near))


def _day_means(values_NI: Tensor, days: Days) -> Tensor:
    segments = Segments(days.group, days.num_groups)
    size_D = segments.sum(torch.ones_like(values_NI[:, :1]))
    return segments.spread(segments.sum(values_NI) / size_D.clamp(min=1.0))
