"""The clipped activation that mixes relu, sigmoid and sine."""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from hotloop.kernels.reference import FREQUENCY_FLOOR
from hotloop.models.sine import Init, SineParam, inverse_softplus, positive_vector


class ReLUSigmoidPSANN(nn.Module):
    """clamp(r * sigmoid(r + sine(z+)), 0, clip_max) with z+ = relu(z) and r = slope * z+; zero for negative z.

    The slope is positive, one for each feature, learnt where `slope_learnable`. The other options are SineParam's.
    """

    name: ClassVar[str] = "relu_sigmoid"

    def __init__(
        self,
        features: int,
        *,
        slope_init: Init = 1.0,
        slope_learnable: bool = True,
        clip_max: float = 1.0,
        feature_dim: int = -1,
        **sine: Any,
    ) -> None:
        super().__init__()
        if not clip_max > 0:
            raise ValueError(f"got clip_max={clip_max}; the ceiling must be above 0, for instance 1.0")
        self.sine = SineParam(features, feature_dim=feature_dim, **sine)
        self.clip_max, self.feature_dim = clip_max, feature_dim
        self.slope = nn.Parameter(inverse_softplus(positive_vector(slope_init, features, "slope")), slope_learnable)

    def forward(self, z: Tensor) -> Tensor:
        shape = [1] * z.ndim
        shape[self.feature_dim] = -1
        positive = functional.relu(z)
        ramp = (functional.softplus(self.slope) + FREQUENCY_FLOOR).view(shape) * positive
        return torch.clamp(ramp * torch.sigmoid(ramp + self.sine(positive)), 0.0, self.clip_max)
