"""The dense residual network."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from hotloop import kernels
from hotloop.models._activation import build_activation
from hotloop.models._initial import draw_first, draw_hidden
from hotloop.models._residual import DropPath, build_norm, drop_rates
from hotloop.models.rms_norm import RMSNorm
from hotloop.models.sine import SineParam


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

    def forward_flat(self, x: Tensor, flat: Tensor) -> Tensor:
        """The same as `forward`, with the parameters read from `flat`: all of them in one vector, in their order.

        One operator where compiled kernels can run the whole network, several times faster for small batches; the
        gradient of `flat` is one vector. `torch.nn.utils.parameters_to_vector(net.parameters())` makes such a vector.
        """
        plain = self._plain()
        if plain is None or not kernels.runs_network(x, flat):
            return torch.func.functional_call(self, self._views(flat), (x,))
        norm, act = plain
        return kernels.residual_network(
            x,
            flat,
            hidden=self.first.out_features,
            layers=len(self.blocks),
            outputs=self.head.out_features,
            eps=norm.eps,
            decay_mode=act.decay_mode,
            bounds=act.bounds,
        )

    def _plain(self) -> tuple[RMSNorm, SineParam] | None:
        """The norm and one activation, where all blocks are alike and the one operator computes what they do."""
        norm, act = self.norm, self.blocks[0].act1 if len(self.blocks) else None
        if not isinstance(norm, RMSNorm) or not isinstance(act, SineParam) or act.phase is not None:
            return None
        drops = self.training and any(block.drop_path.rate for block in self.blocks if isinstance(block, ResidualBlock))
        return None if drops else (norm, act)

    def _views(self, flat: Tensor) -> dict[str, Tensor]:
        names, shapes = zip(*((name, value.shape) for name, value in self.named_parameters()), strict=True)
        parts = flat.split([shape.numel() for shape in shapes])
        return {name: part.view(shape) for name, part, shape in zip(names, parts, shapes, strict=True)}

    def forward(self, x: Tensor) -> Tensor:
        """One output row for each row of `x`."""
        return self.head(self.norm(self.blocks(self.first(x))))
