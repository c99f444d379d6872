"""Root-mean-square norm."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from hotloop import kernels


class RMSNorm(nn.Module):
    """x / sqrt(mean(x^2) + eps) * weight, the mean over `feature_dim` (-1 dense, 1 for channels).

    Source: Zhang and Sennrich 2019, arXiv:1910.07467.
    """

    name: ClassVar[str] = "rms_norm"

    def __init__(self, features: int, *, feature_dim: int = -1, eps: float = 1e-8) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(features))
        self.feature_dim, self.eps = feature_dim, eps

    def forward(self, x: Tensor) -> Tensor:
        return kernels.rms_norm(x, self.weight, feature_dim=self.feature_dim, eps=self.eps)
