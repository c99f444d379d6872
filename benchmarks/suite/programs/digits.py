"""The digits of scikit-learn as images of 32 x 32."""

import torch
from sklearn.datasets import load_digits
from torch import Tensor
from torch.nn import functional as F


def digit_images(channels: int = 3) -> tuple[Tensor, Tensor]:
    """Images float32 (1797, channels, 32, 32) in [0, 1], and classes int64 (1797,)."""
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16.0
    return F.interpolate(images, size=32).repeat(1, channels, 1, 1), torch.tensor(digits.target)
