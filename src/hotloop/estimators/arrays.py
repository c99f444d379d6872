"""Arrays as people give them, checked the way scikit-learn checks them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_array, check_consistent_length, validate_data

from hotloop.estimators.shapes import Floats

_DTYPES: Any = [np.float64, np.float32]


def check_inputs(estimator: Any, X: Any, *, reset: bool) -> tuple[Floats, np.dtype[Any]]:
    """X as float32 of two or more dimensions, and the dtype of predictions for it.

    With `reset` the number and names of features are kept on `estimator`, else compared.
    Raises ValueError for NaN, infinities, complex or empty input, TypeError for sparse input.
    """
    # Its annotations are inferred from docstrings and are too narrow.
    checked: Any = validate_data(estimator, X, reset=reset, dtype=_DTYPES, allow_nd=True)
    values: NDArray[np.floating[Any]] = checked
    return _single(values, "X"), values.dtype


def check_more_inputs(X: Any, name: str) -> Floats:
    """As `check_inputs`, for input beside the one that is fitted."""
    return _single(check_array(X, dtype=_DTYPES, allow_nd=True, input_name=name), name)


def check_targets(y: Any, rows: int, name: str = "y") -> Floats:
    """y as float32 of shape (rows, ...). Raises ValueError for NaN, infinities, or another length."""
    wanted: Any = np.float64
    values: NDArray[np.float64] = check_array(y, dtype=wanted, ensure_2d=False, allow_nd=True, input_name=name)
    if values.ndim == 0:
        raise ValueError(f"got {name} of no dimension; one target for each of {rows} rows is needed: give an array")
    check_consistent_length(np.empty(rows), values)
    return _single(values, name)


def _single(values: NDArray[np.floating[Any]], name: str) -> Floats:
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    if values.dtype != np.float32 and not np.isfinite(single).all():
        raise ValueError(f"{name} holds values beyond float32, in which networks compute; scale {name} down")
    return single
