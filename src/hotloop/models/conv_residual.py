"""The convolutional residual network."""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from hotloop.models._initial import draw_first, draw_hidden
from hotloop.models._residual import build_norm, residual_blocks
from hotloop.models.conv import MeanHead, build_conv


class ResConvPSANN(nn.Module):
    """1x1 convolution, `hidden_layers` residual blocks, norm, head; (N, C, H, W) -> (N, out_features).

    With `per_element` the head is a 1x1 convolution and the output (N, out_features, H, W). `kernel_size` must be odd.
    """

    name: ClassVar[str] = "conv_residual"

    def __init__(
        self,
        in_channels: int,
        out_features: int,
        *,
        hidden_layers: int = 6,
        channels: int = 64,
        kernel_size: int = 3,
        w0_hidden: float = 1.0,
        norm: str = "rms",
        drop_path_max: float = 0.0,
        residual_alpha_init: float = 0.0,
        per_element: bool = False,
        activation: str = "psann",
        activation_options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if kernel_size % 2 == 0:
            raise ValueError(f"got kernel_size={kernel_size}; a residual block keeps the size: give an odd number")
        self.first = build_conv(2, in_channels, channels, 1)
        draw_first(self.first)
        self.blocks = residual_blocks(
            channels,
            ("conv1", "conv2"),
            lambda: build_conv(2, channels, channels, kernel_size),
            count=hidden_layers,
            drop_path_max=drop_path_max,
            feature_dim=1,
            w0_hidden=w0_hidden,
            norm=norm,
            alpha_init=residual_alpha_init,
            activation=activation,
            activation_options=activation_options,
        )
        self.norm = build_norm(norm, channels, feature_dim=1)
        self.head = build_conv(2, channels, out_features, 1) if per_element else MeanHead(channels, out_features)
        draw_hidden(self.head.linear if isinstance(self.head, MeanHead) else self.head, w0_hidden)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.blocks(self.first(x))))
