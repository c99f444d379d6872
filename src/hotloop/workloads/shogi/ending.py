"""How games end, and who has won."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from hotloop.workloads.shogi.declaration import can_declare
from hotloop.workloads.shogi.positions import Positions
from hotloop.workloads.shogi.repetition import Repetition

NOBODY = -1


class EndReason(IntEnum):
    """Why a game is over; ONGOING where it is not. MAX_PLIES cuts a game off (truncated), the others end it."""

    ONGOING = 0
    CHECKMATE = 1
    NO_LEGAL_MOVES = 2
    FOURFOLD_REPETITION = 3
    PERPETUAL_CHECK = 4
    DECLARATION = 5
    MAX_PLIES = 6


@dataclass(frozen=True, kw_only=True)
class Endings:
    """`reasons` (EndReason) and `winners` (0 Black, 1 White, -1 nobody), both int8 of shape (N,)."""

    reasons: NDArray[np.int8]
    winners: NDArray[np.int8]


@dataclass(frozen=True, kw_only=True)
class EndRules:
    """`max_plies` moves cut a game off; `declaration_points` are those that Black and White need (None: nobody may)."""

    max_plies: int
    declaration_points: tuple[int, int] | None

    def judge(self, positions: Positions) -> Endings:
        """How each game stands after its last move.

        A side without a legal move has lost, in check or not. Then: the fourth occurrence of a position is a draw, and
        lost for a side that only gave check in between. Then: the side to move wins where it may declare. What has not
        ended so is cut off at `max_plies` moves.
        """
        sides = positions.arrays.sides
        reasons = np.zeros(len(sides), dtype=np.int8)
        winners = np.full(len(sides), NOBODY, dtype=np.int8)
        reasons[positions.plies >= self.max_plies] = EndReason.MAX_PLIES
        if self.declaration_points is not None:
            declared = can_declare(positions.arrays, positions.in_check, self.declaration_points)
            reasons[declared] = EndReason.DECLARATION
            winners[declared] = sides[declared]
        repetitions = positions.repetitions
        repeated = repetitions != Repetition.NONE
        perpetual = repeated & (repetitions != Repetition.DRAW)
        reasons[repeated] = EndReason.FOURFOLD_REPETITION
        winners[repeated] = NOBODY
        reasons[perpetual] = EndReason.PERPETUAL_CHECK
        winners[perpetual] = 1 - repetitions[perpetual]
        lost = positions.num_legal == 0
        reasons[lost] = np.where(positions.in_check[lost], EndReason.CHECKMATE, EndReason.NO_LEGAL_MOVES)
        winners[lost] = 1 - sides[lost]
        return Endings(reasons=reasons, winners=winners)
