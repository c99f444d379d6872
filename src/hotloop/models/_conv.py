"""What the convolutional networks share: layers by rank, and the two kinds of head."""

from torch import Tensor, nn

ConvNd = nn.Conv1d | nn.Conv2d | nn.Conv3d
_CONVS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


def build_conv(rank: int, in_channels: int, out_channels: int, kernel_size: int) -> ConvNd:
    """A convolution over `rank` spatial dimensions, padded by half of `kernel_size` (an odd one keeps the size)."""
    if rank not in _CONVS:
        raise ValueError(f"got rank={rank}; there are convolutions over 1, 2 and 3 dimensions: give one of these")
    padding = kernel_size // 2 if kernel_size > 1 else 0
    return _CONVS[rank](in_channels, out_channels, kernel_size, padding=padding)


class MeanHead(nn.Module):
    """(N, C, *S) -> (N, out_features): mean over the positions, then linear."""

    def __init__(self, channels: int, out_features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, out_features)

    def forward(self, x: Tensor) -> Tensor:
        """One output row for each sample."""
        return self.linear(x.flatten(2).mean(dim=2))
