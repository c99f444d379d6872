"""What a panel network says of each stock and horizon.

N samples, H horizons, Q quantiles.
"""

from typing import NamedTuple

from torch import Tensor


class Forecast(NamedTuple):
    """`quantiles` (N, H, Q) ascend in Q, the middle one is the median.

    `student` (N, H, 3) holds location, scale and degrees of freedom, `direction` (N, H) logits of a rise; None where
    the network has no such head. `selection` (N, L, F) are the weights of the features.
    """

    quantiles: Tensor
    student: Tensor | None
    direction: Tensor | None
    selection: Tensor

    @property
    def point(self) -> Tensor:
        """The median, (N, H)."""
        return self.quantiles[..., self.quantiles.shape[-1] // 2]

    def float32(self) -> "Forecast":
        """The same in float32."""
        return Forecast(
            quantiles=self.quantiles.float(),
            student=None if self.student is None else self.student.float(),
            direction=None if self.direction is None else self.direction.float(),
            selection=self.selection.float(),
        )
