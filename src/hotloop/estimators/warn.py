"""Warnings that point at the user's own line."""

import warnings

from hotloop.train.callers import outside_level


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the first frame that belongs to no library."""
    warnings.warn(message, category, stacklevel=outside_level())
