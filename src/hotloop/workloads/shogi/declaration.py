"""Winning by declaration: a king that has entered, with enough pieces around it, by the 27-point rule."""

import numpy as np
from numpy.typing import NDArray

from hotloop.workloads.shogi.board_arrays import BoardArrays
from hotloop.workloads.shogi.pieces import HAND_ORDER, KINDS, KING, NUM_CODES, OF_WHITE, PROMOTED
from hotloop.workloads.shogi.squares import BLACK, WHITE

POINTS_NEEDED = (28, 27)
"""Black's and White's points, by the rules of computer shogi championships (CSA) and of amateur shogi (JSA)."""
_ENTERED_PIECES = 10
_ZONE = 27  # squares of three ranks


def can_declare(
    arrays: BoardArrays, in_check: NDArray[np.bool_], points_needed: tuple[int, int] = POINTS_NEEDED
) -> NDArray[np.bool_]:
    """Whether the side to move of each position may declare that it has won, shape (N,).

    Its king and ten more of its pieces stand in the three furthest ranks, it is not in check, and these pieces and its
    hand count enough: five for each rook and bishop, promoted or not, one for each other piece, none for the king.
    """
    sides = arrays.sides
    zone = np.where((sides == BLACK)[:, None], arrays.pieces[:, :_ZONE], arrays.pieces[:, -_ZONE:])
    entered = (zone == (KING + OF_WHITE * sides)[:, None]).any(axis=1) & ~in_check
    if not entered.any():
        return entered
    pieces, points = (table[sides[:, None], zone].sum(axis=1) for table in (_COUNTS, _POINTS))
    points += arrays.hands[np.arange(len(sides)), sides] @ _HAND_POINTS
    return entered & (pieces >= _ENTERED_PIECES) & (points >= np.array(points_needed)[sides])


def _points_of(kind: int) -> int:
    return 5 if KINDS[kind] in "BR" else 1


def _tables() -> NDArray[np.int64]:
    """Pieces without the king, and their points, shape (2, 2, 32): by side to move and code."""
    tables = np.zeros((2, 2, NUM_CODES), dtype=np.int64)
    for side in (BLACK, WHITE):
        for kind in range(1, KING):
            for code in (kind, kind + PROMOTED):
                tables[0, side, code + OF_WHITE * side] = 1
                tables[1, side, code + OF_WHITE * side] = _points_of(kind)
    return tables


_COUNTS, _POINTS = _tables()
_HAND_POINTS = np.array([_points_of(KINDS.index(letter)) for letter in HAND_ORDER])
