"""The context of a network: numbers beside each row of X that condition it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hotloop.estimators.shapes import Floats

Builder = Callable[..., Any]


@dataclass(frozen=True, kw_only=True)
class ContextColumns:
    """How many context columns a row has (0: none), and what builds them where none are given.

    `builder` is "cosine", a function of X, or None. `params` are keywords for it.
    """

    columns: int = 0
    builder: str | Builder | None = None
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def join(self, scaled: Floats, X: Floats, context: Any) -> Floats:
        """`scaled` (N, features) or (N, C, S...) with the context of each row in the last columns or channels.

        Raises ValueError where a context is missing, not wanted, or has another shape.
        """
        if not self.columns:
            if context is not None:
                raise ValueError(
                    "got a context, but this estimator was fitted without one: fit with context, or drop it"
                )
            return scaled
        values = self.resolve(X, context)
        if values is None:
            raise ValueError(
                f"this estimator was fitted with a context of {self.columns} columns and got none; give context of "
                f"shape (N, {self.columns})"
            )
        if values.shape[1] != self.columns:
            raise ValueError(f"got a context of {values.shape[1]} columns, fitted were {self.columns}: give as many")
        wide = values.reshape(*values.shape, *(1,) * (scaled.ndim - 2))
        return np.concatenate([scaled, np.broadcast_to(wide, (*values.shape, *scaled.shape[2:]))], axis=1)

    def resolve(self, X: Floats, context: Any) -> Floats | None:
        """The context (N, columns) that was given, or is built; None where there is neither."""
        if context is None and self.builder is not None:
            build = self.builder if callable(self.builder) else cosine
            context = build(X.reshape(len(X), -1), **self.params)
        if context is None:
            return None
        values = np.asarray(context, dtype=np.float32)
        if values.ndim == 1:
            values = values[:, None]
        if values.ndim != 2 or len(values) != len(X) or not np.isfinite(values).all():
            raise ValueError(
                f"got a context of shape {values.shape} for {len(X)} rows; (N, columns) of finite numbers is allowed: "
                "give one row of context for each row of X"
            )
        return values


def context_columns(
    X: Floats, context: Any, *, builder: str | Builder | None, params: Mapping[str, Any] | None, dim: int | None
) -> ContextColumns:
    """The columns that a fit uses. Raises ValueError where `dim` was asked for and something else came."""
    if builder is not None and not callable(builder) and builder != "cosine":
        raise ValueError(f"got context_builder={builder!r}; allowed are 'cosine', a function of X, and None: name one")
    asked = ContextColumns(builder=builder, params=dict(params or {}))
    values = asked.resolve(X, context)
    found = 0 if values is None else values.shape[1]
    if dim is not None and dim != found:
        raise ValueError(
            f"got context_dim={dim} and a context of {found} columns; they must be equal: give context of shape "
            f"(N, {dim}), or leave context_dim out"
        )
    return ContextColumns(columns=found, builder=builder, params=asked.params)


def cosine(X: Floats, *, frequencies: int = 4) -> Floats:
    """cos and sin of k pi x for k = 1 to `frequencies`, shape (N, 2 * frequencies * features)."""
    if frequencies < 1:
        raise ValueError(f"got frequencies={frequencies}; it must be at least 1: give for instance 4")
    angles = np.pi * X[:, None, :] * np.arange(1, frequencies + 1, dtype=np.float32)[None, :, None]
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=1).reshape(len(X), -1).astype(np.float32)
