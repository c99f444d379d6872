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
_NUM_PIECE_PLANES = 28
_PLAIN_ORDER, _PROMOTED_ORDER = "PLNSGBRK", "PLNSBR"
_MINE, _MINE_PROMOTED, _THEIRS, _THEIRS_PROMOTED = 0, 8, 14, 22
_MY_HAND, _THEIR_HAND = 28, 35
_BLACK_TO_MOVE, _MOVE_NUMBER, _OCCURRENCES, _IN_CHECK = 42, 43, 44, 48
_MOVE_NUMBER_SCALE = 512.0


def write_planes(
    planes: NDArray[np.float32],
    arrays: BoardArrays,
    rows: NDArray[np.int64],
    *,
    move_numbers: NDArray[np.int64],
    occurrences: NDArray[np.int64],
    in_check: NDArray[np.bool_],
) -> None:
    """Write the positions `rows` of `arrays` into the same rows of `planes`, shape (N, 46 or 50, 81).

    The last three tell of all N positions: number of the move, how often it has stood (1 for the first time), check.
    """
    sides = arrays.sides[rows]
    planes[rows, :_NUM_PIECE_PLANES] = 0.0
    row, square = np.nonzero(arrays.pieces[rows])
    cells = _CELLS[sides[row], arrays.pieces[rows[row], square], square]
    planes.reshape(-1)[rows[row] * (planes.shape[1] * NUM_SQUARES) + cells] = 1.0
    hands = arrays.hands[rows] / HAND_LIMITS
    planes[rows, _MY_HAND:_THEIR_HAND] = hands[np.arange(len(rows)), sides][:, :, None]
    planes[rows, _THEIR_HAND:_BLACK_TO_MOVE] = hands[np.arange(len(rows)), 1 - sides][:, :, None]
    planes[rows, _BLACK_TO_MOVE] = (sides == BLACK)[:, None]
    planes[rows, _MOVE_NUMBER] = (move_numbers[rows] / _MOVE_NUMBER_SCALE)[:, None]
    if planes.shape[1] > _IN_CHECK:
        planes[rows, _OCCURRENCES:_IN_CHECK] = 0.0
        planes[rows, _OCCURRENCES + np.minimum(occurrences[rows], 4) - 1] = 1.0
        planes[rows, _IN_CHECK] = in_check[rows, None]


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
