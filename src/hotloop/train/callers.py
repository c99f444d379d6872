"""Warnings that point at the user's own line."""

import sys
import warnings

_LIBRARIES = frozenset({"hotloop", "torch", "sklearn", "joblib", "warnings"})


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the first frame that belongs to no library."""
    frame, level = sys._getframe(), 1  # pyright: ignore[reportPrivateUsage]
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _LIBRARIES:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
