"""When a model changes beside its weights: its state is put back or committed, and it follows the epochs."""

import warnings
from collections.abc import Callable
from typing import Any, Literal

from torch import Tensor, nn

Reset = Literal["batch", "epoch", "none"]


class StateCadence:
    """Resets before each update ("batch"), each epoch or never; commits after each step that was not skipped.

    Reads one number from the device each update. `of` is what to use: None for a model that keeps no state.
    """

    def __init__(self, model: nn.Module, reset: Reset, *, commits: bool = True) -> None:
        self._reset = _method(model, "reset_state")
        self._commit = _method(model, "commit_state_updates") if commits else None
        self._when = reset

    @classmethod
    def of(cls, model: nn.Module, reset: Reset, updates: bool | None) -> "StateCadence | None":
        """The cadence for `model`, with `updates` handed to its `set_state_updates`; None where it keeps no state."""
        switch = _method(model, "set_state_updates")
        controllers = _method(model, "controllers")
        has_state = _method(model, "commit_state_updates") is not None
        if controllers is not None:
            has_state = bool(controllers())
        if not has_state:
            if updates is not None:
                warnings.warn(
                    f"state_updates={updates} was given, but {type(model).__name__} keeps no state, so it has no "
                    "effect; build a stateful model, or leave it out",
                    UserWarning,
                    stacklevel=3,
                )
            return None
        if updates is not None and switch is not None:
            switch(updates)
        return cls(model, reset, commits=updates is not False)

    def before_epoch(self) -> None:
        """Put the state back where that is due once an epoch."""
        if self._when == "epoch" and self._reset is not None:
            self._reset()

    def before_update(self) -> None:
        """Put the state back where that is due before each update."""
        if self._when == "batch" and self._reset is not None:
            self._reset()

    def after_update(self, skipped: Tensor) -> None:
        """Commit what the forward staged, unless the step was skipped."""
        if self._commit is not None and not bool(skipped):
            self._commit()


def _method(model: nn.Module, name: str) -> Callable[..., Any] | None:
    method = getattr(model, name, None)
    return method if callable(method) else None


def follow_epoch(model: nn.Module, epoch: int) -> None:
    """Call `on_epoch` of a model that changes with the epochs; the 0-based `epoch` has ended."""
    follow = _method(model, "on_epoch")
    if follow is not None:
        follow(epoch)
