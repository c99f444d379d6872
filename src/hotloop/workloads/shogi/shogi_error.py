"""What the shogi workload raises."""

from hotloop.errors import WorkloadError


class ShogiError(WorkloadError):
    """A position, action, option or saved state that the shogi environment cannot take."""


class IllegalAction(ShogiError):
    """An action that is no legal move where it was given; no game has moved."""
