"""Scaling of columns: fitted once, undone exactly, saved as numbers.

Arrays are (N, columns) or (N, columns, positions...): the second dimension is scaled, whatever comes after.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from hotloop.estimators.shapes import Floats

Vector = NDArray[np.float64]


class Transformer(Protocol):
    """What can be given as a scaler of one's own."""

    def fit(self, X: Any) -> Any:
        """Learn from (N, columns)."""
        ...

    def transform(self, X: Any) -> Any:
        """The scaled (N, columns)."""
        ...


class Scaler(Protocol):
    """A fitted scaler."""

    def scale(self, values: Floats) -> Floats:
        """The values the network sees."""
        ...

    def unscale(self, values: Floats) -> Floats:
        """The values a person sees."""
        ...


@dataclass(frozen=True, kw_only=True)
class AffineScaler:
    """(value - shift) / step by column, in float64."""

    shift: Vector
    step: Vector

    def scale(self, values: Floats) -> Floats:
        return ((values - _by_column(self.shift, values)) / _by_column(self.step, values)).astype(np.float32)

    def unscale(self, values: Floats) -> Floats:
        return (values * _by_column(self.step, values) + _by_column(self.shift, values)).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class OwnScaler:
    """A fitted object with transform, and inverse_transform where it has one, on (rows, columns)."""

    transformer: Any

    def scale(self, values: Floats) -> Floats:
        """Scaled values, shaped as `values`. Raises ValueError where the object changes the number of columns."""
        return _on_rows(self.transformer.transform, values, "transform")

    def unscale(self, values: Floats) -> Floats:
        """Values in the units from before. Raises ValueError where the object cannot go back."""
        inverse = getattr(self.transformer, "inverse_transform", None)
        if inverse is None:
            raise ValueError(
                f"got {type(self.transformer).__name__} as scaler; going back to the units of X or y needs "
                "inverse_transform: give 'standard', 'minmax', or an object that has it"
            )
        return _on_rows(inverse, values, "inverse_transform")


def fit_scaler(kind: str | Transformer | None, params: Mapping[str, Any] | None, values: Floats) -> Scaler | None:
    """The scaler of `kind` fitted on `values`: "standard", "minmax", a clone of an object, or None for none.

    `params` are with_mean and with_std for "standard", feature_range for "minmax". A constant column is only shifted.
    """
    if kind is None:
        _refuse_params(params, allowed=set(), kind="None")
        return None
    if isinstance(kind, str):
        name = kind.strip().lower()
        if name not in _KINDS:
            raise ValueError(f"got the scaler {kind!r}; allowed are {', '.join(_KINDS)}, or an object: name one")
        return _KINDS[name](params or {}, _rows(values).astype(np.float64))
    _refuse_params(params, allowed=set(), kind=type(kind).__name__)
    transformer: Any = clone(kind, safe=False)
    return OwnScaler(transformer=transformer.fit(_rows(values)))


def _standard(params: Mapping[str, Any], rows: Vector) -> AffineScaler:
    _refuse_params(params, allowed={"with_mean", "with_std"}, kind="'standard'")
    zeros = np.zeros(rows.shape[1])
    shift = rows.mean(0) if params.get("with_mean", True) else zeros
    step = rows.std(0) if params.get("with_std", True) else zeros + 1.0
    return AffineScaler(shift=shift, step=_without_zeros(step, rows))


def _minmax(params: Mapping[str, Any], rows: Vector) -> AffineScaler:
    _refuse_params(params, allowed={"feature_range"}, kind="'minmax'")
    low, high = params.get("feature_range", (0.0, 1.0))
    if not low < high:
        raise ValueError(f"got feature_range={(low, high)}; the first must be below the second: swap them")
    least = rows.min(0)
    step = _without_zeros((rows.max(0) - least) / (high - low), rows)
    return AffineScaler(shift=least - low * step, step=step)


_KINDS = {"standard": _standard, "minmax": _minmax}


def _without_zeros(step: Vector, rows: Vector) -> Vector:
    # Below this, what varies is the rounding of the mean; the same bound as in scikit-learn's scalers.
    tiny = 10 * np.finfo(np.float64).eps * np.abs(rows).max(0)
    return np.where(step <= tiny, 1.0, step)


def _rows(values: Floats) -> Floats:
    return np.moveaxis(values, 1, -1).reshape(-1, values.shape[1])


def _on_rows(function: Any, values: Floats, name: str) -> Floats:
    moved = np.moveaxis(values, 1, -1)
    rows = moved.reshape(-1, values.shape[1])
    answer = np.asarray(function(rows), dtype=np.float32)
    if answer.shape != rows.shape:
        raise ValueError(
            f"the scaler's {name} made {answer.shape} of {rows.shape}; a scaler keeps the shape: put steps that change "
            "it into a Pipeline"
        )
    return np.ascontiguousarray(np.moveaxis(answer.reshape(moved.shape), -1, 1))


def _by_column(vector: Vector, values: Floats) -> Vector:
    return vector.reshape(1, -1, *(1,) * (values.ndim - 2))


def _refuse_params(params: Mapping[str, Any] | None, *, allowed: set[str], kind: str) -> None:
    unknown = set(params or {}) - allowed
    if unknown:
        raise ValueError(
            f"got scaler parameters {sorted(unknown)} for the scaler {kind}; allowed are {sorted(allowed) or 'none'}: "
            "set parameters of an object on the object itself"
        )
