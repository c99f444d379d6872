"""Which frame of the stack is the user's own code: warnings point there."""

import sys

_LIBRARIES = frozenset({"hotloop", "torch", "sklearn", "joblib", "warnings"})


def outside_level() -> int:
    """The `stacklevel` with which the caller's warning names the first frame outside of libraries."""
    frame, level = sys._getframe(1), 1  # pyright: ignore[reportPrivateUsage]
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _LIBRARIES:
        frame, level = frame.f_back, level + 1
    return level
