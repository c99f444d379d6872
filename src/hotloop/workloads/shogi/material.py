"""What the pieces of both sides are worth."""

import numpy as np
from numpy.typing import NDArray

from hotloop.workloads.shogi.board_arrays import BoardArrays
from hotloop.workloads.shogi.pieces import HAND_KINDS, KINDS, NUM_CODES, OF_WHITE, PROMOTED

# Pawns, as players count them (values of Koji Tanigawa); the king counts nothing.
_PLAIN = {"P": 1, "L": 3, "N": 4, "S": 5, "G": 6, "B": 8, "R": 10}
_PROMOTED = {"P": 7, "L": 6, "N": 6, "S": 6, "B": 10, "R": 12}

MATERIAL_SCALE = 76.0
"""By which the specification of the actor-critic divides material (section 1.5)."""


def material_balance(arrays: BoardArrays) -> NDArray[np.int64]:
    """Black's material less White's, on the board and in hand, shape (N,)."""
    in_hand = arrays.hands @ _HAND_VALUES
    return _VALUES[arrays.pieces].sum(axis=1) + in_hand[:, 0] - in_hand[:, 1]


def _board_values() -> NDArray[np.int64]:
    values = np.zeros(NUM_CODES, dtype=np.int64)
    for table, offset in ((_PLAIN, 0), (_PROMOTED, PROMOTED)):
        for letter, value in table.items():
            code = KINDS.index(letter) + offset
            values[code], values[code + OF_WHITE] = value, -value
    return values


_VALUES = _board_values()
_HAND_VALUES = _VALUES[HAND_KINDS]
