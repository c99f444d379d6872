"""Robust z-scores: median and median absolute deviation of the training span, and of nothing later.

R rows, F features.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hotloop.data.panel.columns import names_where, shortened
from hotloop.errors import PanelError

MAD_TO_SD = 1.4826  # of a normal distribution: 1 / Phi^-1(3/4); Rousseeuw and Croux 1993
_SMALLEST_SCALE = 1e-8


@dataclass(frozen=True, kw_only=True)
class PanelScaler:
    """`(x - center) / scale` of each feature, clipped to +-`clip`; what is missing becomes 0, which is the median.

    `names` are the features in order, and `missing` the share of missing values of each in the training span.
    """

    names: tuple[str, ...]
    center: tuple[float, ...]
    scale: tuple[float, ...]
    missing: tuple[float, ...]
    clip: float = 5.0

    @classmethod
    def fit(cls, rows_RF: NDArray[np.float32], names: tuple[str, ...], *, clip: float = 5.0) -> "PanelScaler":
        """The scaler of `rows_RF`, which must all be of the training span; NaN is missing.

        Where half of the values are equal the deviation is taken as the standard one; a constant is only centred.
        Raises PanelError for a feature that has an infinity, or no value at all.
        """
        _check_finite(rows_RF, names)
        values_RF = rows_RF.astype(np.float64)
        missing_F = np.isnan(values_RF).mean(axis=0)
        empty = names_where(names, missing_F == 1.0)
        if empty:
            raise PanelError(
                f"{shortened(empty)} have no value in the training span; a feature needs some there: leave them out "
                "with PanelColumns(features=...), or begin the span later"
            )
        center_F = np.nanmedian(values_RF, axis=0)
        scale_F = MAD_TO_SD * np.nanmedian(np.abs(values_RF - center_F), axis=0)
        scale_F = np.where(scale_F > _SMALLEST_SCALE, scale_F, np.nanstd(values_RF, axis=0))
        constant = names_where(names, scale_F <= _SMALLEST_SCALE)
        if constant:
            warnings.warn(
                f"{shortened(constant)} are constant in the training span, so nothing can be learnt from them; "
                "leave them out with PanelColumns(features=...)",
                UserWarning,
                stacklevel=2,
            )
        scale_F = np.where(scale_F > _SMALLEST_SCALE, scale_F, 1.0)
        return cls(
            names=names,
            center=tuple(center_F.tolist()),
            scale=tuple(scale_F.tolist()),
            missing=tuple(missing_F.tolist()),
            clip=clip,
        )

    def __call__(self, rows_RF: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scaled rows, float32, worked out in float64. Raises PanelError for an infinity."""
        _check_finite(rows_RF, self.names)
        z_RF = rows_RF.astype(np.float64)
        z_RF -= self.center
        z_RF /= self.scale
        np.nan_to_num(z_RF, copy=False, nan=0.0)
        return np.clip(z_RF, -self.clip, self.clip, out=z_RF).astype(np.float32)


def _check_finite(rows_RF: NDArray[np.float32], names: tuple[str, ...]) -> None:
    found = names_where(names, np.isinf(rows_RF).any(axis=0))
    if found:
        raise PanelError(
            f"{shortened(found)} hold infinities (or numbers beyond float32); values are finite or missing: look for "
            "divisions by zero, and write null where there is no value"
        )
