"""What the trainer of episodes asks for the context of an estimator's rows."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hotloop.estimators.fit_params import Extractor
from hotloop.estimators.fitted import Fitted
from hotloop.estimators.request import ValidationRows


def context_extractor(
    fitted: Fitted, context: Any, rows: Tensor, validation: ValidationRows | None = None
) -> Extractor | None:
    """An extractor for rows of the network; None where the rows themselves are the context.

    `context` is a user's function, which sees inputs in the units of X, an array with one row for each of `rows`, or
    None for the inputs in the units of X.
    """
    if isinstance(context, np.ndarray):
        known = [(rows, context)]
        if validation is not None and validation.context is not None:
            known.append((validation.rows, np.asarray(validation.context, dtype=np.float32)))
        return SeriesContext(known)
    if fitted.input_scaler is None and not fitted.context.columns:
        return context
    if context is None:
        return fitted.original

    def in_original_units(inputs: Any) -> Any:
        if isinstance(inputs, Tensor):
            return context(fitted.original(inputs))
        return context(fitted.original(torch.from_numpy(inputs)).numpy())

    return in_original_units


class SeriesContext:
    """The context of known series, one row a step, for a trainer that asks an extractor."""

    def __init__(self, known: list[tuple[Tensor, NDArray[np.float32]]]) -> None:
        for rows, context in known:
            if context.ndim not in (1, 2) or len(context) != len(rows):
                raise ValueError(
                    f"got a context of shape {context.shape} for a series of {len(rows)} steps; one row for each step "
                    "is needed: give (N, channels)"
                )
        self._known = [
            (rows, torch.as_tensor(context.reshape(len(rows), -1), device=rows.device)) for rows, context in known
        ]

    def __call__(self, inputs: Tensor) -> Tensor:
        """The context (1, N, channels) of the series (1, N, ...). Raises ValueError for a series that is not known."""
        for rows, context in self._known:
            if rows.shape == inputs.shape[1:] and torch.equal(rows, inputs[0]):
                return context.unsqueeze(0)
        raise ValueError(
            "an array was given as context and another series came; give its context as the third item of "
            "validation_data, or give a function"
        )
