"""Positions that have stood before in a game, and checks that never end."""

from collections.abc import Sequence
from enum import IntEnum

from hotloop.workloads.shogi.squares import BLACK, WHITE

FOURFOLD = 4


class Repetition(IntEnum):
    """What the fourth occurrence of a position means; the first two are sides that lose."""

    BLACK_LOSES = BLACK
    WHITE_LOSES = WHITE
    DRAW = 2
    NONE = 3


class PositionHistory:
    """All positions of one game, by key, and how long each side has given check without a pause."""

    def __init__(self) -> None:
        # Two tables of plain numbers: the garbage collector would go through a table of tuples.
        self._first: dict[bytes, int] = {}
        self._occurrences: dict[bytes, int] = {}
        self._num_positions = 0
        self._checks = [0, 0]
        self.occurrences = 0
        self.repetition = Repetition.NONE

    def add(self, key: bytes, side: int, *, in_check: bool) -> None:
        """Take up the position that stands now, with the side to move and whether it is in check.

        `occurrences` is then how often it has stood, this time included; `repetition` what follows. The side that gave
        check with each of its moves since the first occurrence loses; if both did, or none, it is a draw.
        """
        mover = 1 - side
        self._checks[mover] = self._checks[mover] + 1 if in_check else 0
        first = self._first.setdefault(key, self._num_positions)
        self._occurrences[key] = self.occurrences = self._occurrences.get(key, 0) + 1
        if self.occurrences >= FOURFOLD:
            moves_a_side = (self._num_positions - first) // 2
            self.repetition = _meaning([checks >= moves_a_side for checks in self._checks])
        self._num_positions += 1


def _meaning(always_checking: Sequence[bool]) -> Repetition:
    black, white = always_checking
    if black == white:
        return Repetition.DRAW
    return Repetition.BLACK_LOSES if black else Repetition.WHITE_LOSES
