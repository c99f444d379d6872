"""A small convolutional host for images."""

from torch import Tensor, nn

from hotloop.workloads.growth.host import HostKind


class CnnHost(nn.Module):
    """Images (B, channels, H, W) -> logits (B, classes): blocks of convolution, group norm and ReLU, halved twice."""

    kind: HostKind = "cnn"
    detaches_seeds = True

    def __init__(self, *, channels: int, classes: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.widths = widths
        self.stem = nn.Identity()
        self.blocks = nn.ModuleList()
        before = channels
        for index, width in enumerate(widths):
            pool = nn.Identity() if index == 0 else nn.MaxPool2d(2)
            conv = nn.Conv2d(before, width, 3, padding=1, bias=False)
            self.blocks.append(nn.Sequential(pool, conv, nn.GroupNorm(1, width), nn.ReLU()))
            before = width
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, classes))

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return self.head(x)
