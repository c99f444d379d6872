"""How long the phases last, and how losses move that."""

from collections.abc import Sequence
from dataclasses import dataclass

from hotloop.train.phases.config import Mode

_ENDS = 10  # losses at each end of the window that are compared
_FALLING = 0.05


@dataclass(frozen=True, kw_only=True)
class _Moves:
    """Steps by which lengths move, and the limits that they stop at."""

    full_up: int
    full_most: int
    full_down: int
    full_least: int
    predict_up: int
    predict_most: int
    predict_down: int
    predict_least: int


# The steps and limits of vsa-optim-rs 0.1.1.
_MOVES: dict[Mode, _Moves] = {
    "legacy": _Moves(
        full_up=5, full_most=50, full_down=2, full_least=5,
        predict_up=5, predict_most=100, predict_down=10, predict_least=10,
    ),
    "deterministic": _Moves(
        full_up=2, full_most=30, full_down=1, full_least=3,
        predict_up=3, predict_most=50, predict_down=5, predict_least=5,
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """Steps of FULL and of PREDICT (its CORRECT steps included) in a cycle."""

    full: int
    predict: int

    def adapted(self, losses: Sequence[float], *, threshold: float, mode: Mode) -> "Lengths":
        """The lengths after these losses, oldest first; the same where there are fewer than 20, or any end is NaN.

        Losses that rise never lengthen PREDICT or cut FULL, losses that fall never lengthen FULL or cut PREDICT: a
        limit stops a length where it is and moves none. Changes are relative to the size of the early losses, so
        negative losses are judged alike. No prediction (`predict` 0) stays none.
        """
        if len(losses) < 2 * _ENDS or self.predict == 0:
            return self
        early, late = sum(losses[:_ENDS]) / _ENDS, sum(losses[-_ENDS:]) / _ENDS
        moves = _MOVES[mode]
        if late > early + threshold * abs(early):
            return Lengths(
                full=max(self.full, min(self.full + moves.full_up, moves.full_most)),
                predict=min(self.predict, max(self.predict - moves.predict_down, moves.predict_least)),
            )
        if late < early - _FALLING * abs(early):
            return Lengths(
                full=min(self.full, max(self.full - moves.full_down, moves.full_least)),
                predict=max(self.predict, min(self.predict + moves.predict_up, moves.predict_most)),
            )
        return self
