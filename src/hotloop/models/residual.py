"""The dense residual network."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from hotloop.models._activation import build_activation
from hotloop.models._initial import draw_first, draw_hidden
from hotloop.models._residual import DropPath, build_norm, drop_rates


class ResidualBlock(nn.Module):
    """x + alpha * drop_path(act2(fc2(act1(fc1(norm(x)))))), alpha learnt."""

    def __init__(
        self,
        features: int,
        *,
        w0_hidden: float = 1.0,
        norm: str = "rms",
        drop_path: float = 0.0,
        alpha_init: float = 0.0,
        activation: str = "psann",
        activation_options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.norm = build_norm(norm, features)
        self.fc1, self.fc2 = nn.Linear(features, features), nn.Linear(features, features)
        self.act1 = build_activation(activation, features, activation_options)
        self.act2 = build_activation(activation, features, activation_options)
        draw_hidden(self.fc1, w0_hidden)
        draw_hidden(self.fc2, w0_hidden)
        self.drop_path = DropPath(drop_path)
        self.alpha = nn.Parameter(torch.full((1,), alpha_init))

    def forward(self, x: Tensor) -> Tensor:
        """The block's output, shaped as `x`."""
        h = self.act2(self.fc2(self.act1(self.fc1(self.norm(x)))))
        return x + self.alpha * self.drop_path(h)


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
        self.blocks = nn.Sequential(
            *(
                ResidualBlock(
                    hidden_units,
                    w0_hidden=w0_hidden,
                    norm=norm,
                    drop_path=rate,
                    alpha_init=residual_alpha_init,
                    activation=activation,
                    activation_options=activation_options,
                )
                for rate in drop_rates(drop_path_max, hidden_layers)
            )
        )
        self.norm = build_norm(norm, hidden_units)
        self.head = nn.Linear(hidden_units, out_features)
        draw_hidden(self.head, w0_hidden)

    def forward(self, x: Tensor) -> Tensor:
        """One output row for each row of `x`."""
        return self.head(self.norm(self.blocks(self.first(x))))
