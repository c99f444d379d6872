"""Which numbers of an array are one row for a network, and which shape its outputs go back to.

N rows, C channels, S positions in one or more dimensions.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
DataFormat = Literal["channels_first", "channels_last"]


@dataclass(frozen=True, kw_only=True)
class InputShape:
    """How a row of X, of shape `row`, reaches the network.

    Without a `grid` it is flattened. With one, it is (channels, positions...), in `data_format` order in X; a row
    without enough dimensions of positions gets some of size 1, so that a plain vector is channels at one position.
    """

    row: tuple[int, ...]
    grid: bool = False
    data_format: DataFormat = "channels_first"
    least_positions: int = 1

    @property
    def features(self) -> int:
        """Features of a flat row, or channels."""
        if not self.grid:
            return math.prod(self.row)
        return self.row[0] if self.data_format == "channels_first" else self.row[-1]

    @property
    def positions(self) -> tuple[int, ...]:
        """Sizes of the dimensions of positions as the network sees them; empty for flat rows."""
        if not self.grid:
            return ()
        given = self.row[1:] if self.data_format == "channels_first" else self.row[:-1]
        return given + (1,) * (self.least_positions - len(given))

    def check(self, X: NDArray[np.generic]) -> None:
        """Raise ValueError where rows of `X` have another shape."""
        if tuple(X.shape[1:]) != self.row:
            raise ValueError(
                f"got X of shape {X.shape}; this estimator was fitted on rows of shape {self.row}: give (N, "
                f"{', '.join(map(str, self.row))})"
            )

    def lay_out(self, X: Floats) -> Floats:
        """`X` as (N, features), or as (N, C, S...)."""
        if not self.grid:
            return X.reshape(len(X), -1)
        first = X if self.data_format == "channels_first" else np.moveaxis(X, -1, 1)
        return first.reshape(len(X), self.features, *self.positions)


@dataclass(frozen=True, kw_only=True)
class OutputShape:
    """How outputs of the network, (N, columns) or (N, columns, positions...), become predictions.

    `row` is the shape of one prediction: () for a single number. `per_element` keeps positions, in `data_format` order.
    """

    row: tuple[int, ...]
    per_element: bool = False
    data_format: DataFormat = "channels_first"

    @property
    def columns(self) -> int:
        """Outputs of the network for one row (for one position where `per_element`)."""
        if not self.per_element:
            return math.prod(self.row)
        return self.row[0] if self.data_format == "channels_first" else self.row[-1]

    def lay_out(self, y: Floats) -> Floats:
        """Targets shaped as the network's outputs. Raises ValueError where a row has another shape."""
        if tuple(y.shape[1:]) != self.row and not (self.row in ((), (1,)) and math.prod(y.shape[1:]) == 1):
            raise ValueError(
                f"got targets of shape {y.shape}; one row has the shape {self.row}: give (N, "
                f"{', '.join(map(str, self.row))})"
            )
        if not self.per_element:
            return y.reshape(len(y), -1)
        return y if self.data_format == "channels_first" else np.ascontiguousarray(np.moveaxis(y, -1, 1))

    def restore(self, outputs: NDArray[np.floating]) -> NDArray[np.floating]:
        """Predictions of shape (N, *row) from outputs of the network."""
        if self.per_element and self.data_format == "channels_last":
            outputs = np.moveaxis(outputs, 1, -1)
        return outputs.reshape(len(outputs), *self.row)


def output_shape(
    y: Floats | None, asked: tuple[int, ...] | None, inputs: InputShape, *, per_element: bool
) -> OutputShape:
    """The shape of one prediction: `asked`, else that of a row of `y`, else one number (as many as a grid has).

    Raises ValueError where both are given and disagree in size, or where per-element targets have no positions.
    """
    if per_element:
        return _per_element(y, asked, inputs)
    if y is None:
        return OutputShape(row=asked or ((math.prod(inputs.row),) if inputs.grid else (1,)))
    row = tuple(y.shape[1:])
    if asked is None:
        return OutputShape(row=row)
    if math.prod(asked) != math.prod(row):
        raise ValueError(
            f"got output_shape={asked} and targets with rows of shape {row}; they must hold equally many numbers: "
            "leave output_shape out, or reshape y"
        )
    return OutputShape(row=tuple(asked))


def _per_element(y: Floats | None, asked: tuple[int, ...] | None, inputs: InputShape) -> OutputShape:
    if not inputs.grid:
        raise ValueError("got per_element=True without positions; it needs preserve_shape=True: give that too")
    row = tuple(y.shape[1:]) if y is not None else tuple(asked or ())
    shape = OutputShape(row=row, per_element=True, data_format=inputs.data_format)
    given = row[1:] if inputs.data_format == "channels_first" else row[:-1]
    if len(row) < 2 or given != inputs.positions:
        raise ValueError(
            f"got per_element=True with targets of shape {row} a row; the positions {inputs.positions} of X and a "
            f"dimension of channels ({inputs.data_format}) are needed: reshape y"
        )
    return shape
