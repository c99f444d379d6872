"""Many positions as arrays, which all moves of a step change at once."""

import numpy as np
from numpy.typing import NDArray

from hotloop.workloads.shogi.packed_moves import DROP, ORIGIN_SHIFT, PROMOTION, SQUARE_BITS
from hotloop.workloads.shogi.pieces import HAND_ORDER, HAND_PLACES, KINDS, OF_WHITE, PROMOTED
from hotloop.workloads.shogi.squares import BLACK, FROM_ENGINE, NUM_SQUARES, WHITE


class BoardArrays:
    """N positions: `pieces` of shape (N, 81), `hands` (N, 2, 7) and `sides` to move (N,).

    Codes of pieces and the order of hands are those of `pieces.py`; the first hand is Black's. Moves are not checked.
    """

    def __init__(self, num_positions: int) -> None:
        self._rows = np.arange(num_positions)
        self.pieces: NDArray[np.int8] = np.zeros((num_positions, NUM_SQUARES), dtype=np.int8)
        self.hands: NDArray[np.int8] = np.zeros((num_positions, 2, len(HAND_ORDER)), dtype=np.int8)
        self.sides: NDArray[np.int64] = np.zeros(num_positions, dtype=np.int64)

    def set_sfen(self, row: int, sfen: str) -> None:
        """Put a position there, from an SFEN that the engine has written."""
        board, side, hands = sfen.split()[:3]
        self.pieces[row] = _pieces_of(board)
        self.hands[row] = _hands_of(hands)
        self.sides[row] = WHITE if side == "w" else BLACK

    def apply(self, moves: NDArray[np.int32]) -> None:
        """Play one packed move in every position, shape (N,); the other side is to move after it."""
        rows, sides = self._rows, self.sides
        dropped = (moves & DROP) > 0
        origin = moves >> ORIGIN_SHIFT & SQUARE_BITS
        to = FROM_ENGINE[moves & SQUARE_BITS]
        square = FROM_ENGINE[np.where(dropped, 0, origin)]
        moved = self.pieces[rows, square] + np.where(moves & PROMOTION, PROMOTED, 0)
        captured = self.pieces[rows, to] % PROMOTED  # neither the colour nor the promotion stays
        boards = rows[~dropped]
        self.pieces[boards, square[boards]] = 0
        self.pieces[rows, to] = np.where(dropped, origin + OF_WHITE * sides, moved)
        takers, droppers = rows[captured > 0], rows[dropped]
        self.hands[takers, sides[takers], HAND_PLACES[captured[takers]]] += 1
        self.hands[droppers, sides[droppers], HAND_PLACES[origin[droppers]]] -= 1
        self.sides ^= 1


def _pieces_of(board: str) -> NDArray[np.int8]:
    codes: list[int] = []
    promoted = 0
    for letter in board.replace("/", ""):
        if letter.isdigit():
            codes += [0] * int(letter)
        elif letter == "+":
            promoted = PROMOTED
        else:
            codes.append(KINDS.index(letter.upper()) + promoted + (OF_WHITE if letter.islower() else 0))
            promoted = 0
    return np.array(codes, dtype=np.int8)


def _hands_of(text: str) -> NDArray[np.int8]:
    hands = np.zeros((2, len(HAND_ORDER)), dtype=np.int8)
    count = ""
    for letter in text.replace("-", ""):
        if letter.isdigit():
            count += letter
        else:
            hands[WHITE if letter.islower() else BLACK, HAND_ORDER.index(letter.upper())] = int(count or 1)
            count = ""
    return hands
