"""Positions as planes of a network, from the view of the side to move.

Planes of the mover come first, then those of the opponent; for White the board is turned by half a turn.

0-7 the mover's P L N S G B R K; 8-13 +P +L +N +S +B +R; 14-21 and 22-27 the opponent's; 28-34 the mover's hand,
35-41 the opponent's, P L N S G B R, each count divided by how many there are; 42 is one where Black is to move;
43 the number of the move divided by 512; 44 and 45 are zero. With 50 planes: 44-47 the position stands for the first,
second, third, fourth or later time; 48 the mover is in check; 49 is zero.
"""

import numpy as np
from numpy.typing import NDArray

from hotloop.workloads.shogi.board_arrays import BoardArrays
from hotloop.workloads.shogi.pieces import HAND_LIMITS, KINDS, NUM_CODES, OF_WHITE, PROMOTED
from hotloop.workloads.shogi.squares import BLACK, NUM_SQUARES, VIEW, WHITE

PLANE_COUNTS = (46, 50)
_PLAIN_ORDER, _PROMOTED_ORDER = "PLNSGBRK", "PLNSBR"
_MINE, _MINE_PROMOTED, _THEIRS, _THEIRS_PROMOTED = 0, 8, 14, 22
_MY_HAND, _THEIR_HAND = 28, 35
_BLACK_TO_MOVE, _MOVE_NUMBER, _OCCURRENCES, _IN_CHECK = 42, 43, 44, 48
_MOVE_NUMBER_SCALE = 512.0
_MOST_OCCURRENCES = 4


class PlaneWriter:
    """Writes positions into `planes`, shape (N, 46 or 50, 81), which must be all zero at first.

    Only the squares where pieces stood before are set back, so that little memory is touched.
    """

    def __init__(self, planes: NDArray[np.float32]) -> None:
        self._planes = planes
        self._cells = planes.reshape(-1)
        self._starts = np.arange(len(planes)) * (planes.shape[1] * NUM_SQUARES)
        self._written: NDArray[np.int64] = np.empty(0, dtype=np.int64)

    def write(
        self,
        arrays: BoardArrays,
        rows: NDArray[np.int64] | slice,
        *,
        move_numbers: NDArray[np.int64],
        occurrences: NDArray[np.int64],
        in_check: NDArray[np.bool_],
    ) -> None:
        """Show the positions `rows` of `arrays` in the same rows; what other rows show means nothing afterwards.

        The last three tell of all N positions: number of the move, how often it has stood (1 for the first time) and
        whether its mover is in check.
        """
        planes, sides, pieces = self._planes, arrays.sides[rows], arrays.pieces[rows]
        row, square = np.nonzero(pieces)
        self._cells[self._written] = 0.0
        self._written = self._starts[rows][row] + _CELLS[sides[row], pieces[row, square], square]
        self._cells[self._written] = 1.0
        hands, shown = arrays.hands[rows] / HAND_LIMITS, np.arange(len(sides))
        planes[rows, _MY_HAND:_THEIR_HAND] = hands[shown, sides][:, :, None]
        planes[rows, _THEIR_HAND:_BLACK_TO_MOVE] = hands[shown, 1 - sides][:, :, None]
        planes[rows, _BLACK_TO_MOVE] = (sides == BLACK)[:, None]
        planes[rows, _MOVE_NUMBER] = (move_numbers[rows] / _MOVE_NUMBER_SCALE)[:, None]
        if planes.shape[1] > _IN_CHECK:
            times = np.minimum(occurrences[rows], _MOST_OCCURRENCES)[:, None] == np.arange(1, _MOST_OCCURRENCES + 1)
            planes[rows, _OCCURRENCES:_IN_CHECK] = times[:, :, None]
            planes[rows, _IN_CHECK] = in_check[rows][:, None]


def _piece_cells() -> NDArray[np.int64]:
    """Place in the 28 * 81 cells of the piece planes, shape (2, 32, 81): by side to move, code and square."""
    planes = np.zeros((2, NUM_CODES), dtype=np.int64)
    for side in (BLACK, WHITE):
        for owner in (BLACK, WHITE):
            plain, promoted = (_MINE, _MINE_PROMOTED) if owner == side else (_THEIRS, _THEIRS_PROMOTED)
            for place, letter in enumerate(_PLAIN_ORDER):
                planes[side, KINDS.index(letter) + OF_WHITE * owner] = plain + place
            for place, letter in enumerate(_PROMOTED_ORDER):
                planes[side, KINDS.index(letter) + PROMOTED + OF_WHITE * owner] = promoted + place
    return planes[:, :, None] * NUM_SQUARES + VIEW[:, None, :]


_CELLS = _piece_cells()
