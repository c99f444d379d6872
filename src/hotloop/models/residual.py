"""The dense residual network."""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from hotloop.models._initial import draw_first, draw_hidden
from hotloop.models._residual import build_norm, residual_blocks


class ResPSANN(nn.Module):
    """Linear, `hidden_layers` residual blocks, norm, linear head; (N, in_features) -> (N, out_features).

    The rate of drop-path grows linearly over the blocks to `drop_path_max`; `residual_alpha_init` is where the scale
    of each branch starts.
    """

    name: ClassVar[str] = "residual"

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        hidden_layers: int = 8,
        hidden_units: int = 64,
        w0_hidden: float = 1.0,
        norm: str = "rms",
        drop_path_max: float = 0.0,
        residual_alpha_init: float = 0.0,
        activation: str = "psann",
        activation_options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.first = nn.Linear(in_features, hidden_units)
        draw_first(self.first)
        self.blocks = residual_blocks(
            hidden_units,
            ("fc1", "fc2"),
            lambda: nn.Linear(hidden_units, hidden_units),
            count=hidden_layers,
            drop_path_max=drop_path_max,
            w0_hidden=w0_hidden,
            norm=norm,
            alpha_init=residual_alpha_init,
            activation=activation,
            activation_options=activation_options,
        )
        self.norm = build_norm(norm, hidden_units)
        self.head = nn.Linear(hidden_units, out_features)
        draw_hidden(self.head, w0_hidden)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.blocks(self.first(x))))
