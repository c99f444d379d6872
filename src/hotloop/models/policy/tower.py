"""Parts of residual towers over a board."""

from torch import Tensor, nn

from hotloop.kernels import squeeze_excitation

_SQUARES = 81


class SqueezeExcitation(nn.Module):
    """Scales each channel by a gate in (0, 1) that is made of all channels' means; adds the residual, then ReLU.

    Source: Hu et al. 2018.
    """

    def __init__(self, channels: int, ratio: float) -> None:
        super().__init__()
        hidden = max(1, int(channels * ratio))
        self.reduce = nn.Conv2d(channels, hidden, 1)
        self.expand = nn.Conv2d(hidden, channels, 1)

    def forward(self, y: Tensor, residual: Tensor) -> Tensor:
        reduce, expand = self.reduce, self.expand
        assert reduce.bias is not None
        assert expand.bias is not None
        return squeeze_excitation(y, residual, (reduce.weight, reduce.bias), (expand.weight, expand.bias))


class _Residual(nn.Module):
    """Adds the residual, then ReLU."""

    def forward(self, y: Tensor, residual: Tensor) -> Tensor:
        return (y + residual).relu()


class TowerBlock(nn.Module):
    """Two convolutions with batch norm, squeeze and excitation where the ratio is not 0, and the input added."""

    def __init__(self, width: int, se_ratio: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(width)
        self.excite = SqueezeExcitation(width, se_ratio) if se_ratio else _Residual()

    def forward(self, x: Tensor) -> Tensor:
        inner = self.norm1(self.conv1(x)).relu()
        return self.excite(self.norm2(self.conv2(inner)), x)


class BoardHead(nn.Module):
    """(B, W, 9, 9) -> (B, out_features): two channels, then linear over their squares."""

    def __init__(self, width: int, out_features: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, 2, 1)
        self.norm = nn.BatchNorm2d(2)
        self.linear = nn.Linear(2 * _SQUARES, out_features)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.norm(self.conv(x)).relu().flatten(1))
