"""Moves packed into 16 bits, as the engine packs them, and their USI names.

Bits 0 to 6: destination; 7 to 13: origin, or the kind that is dropped; bit 14: a drop; bit 15: promotion. Squares are
the engine's.
"""

from functools import cache

from hotloop.workloads.shogi.pieces import HAND_ORDER, KINDS
from hotloop.workloads.shogi.shogi_error import ShogiError
from hotloop.workloads.shogi.squares import FROM_ENGINE, NAMES, TO_ENGINE

SQUARE_BITS = 127
ORIGIN_SHIFT = 7
DROP = 1 << 14
PROMOTION = 1 << 15
NUM_PACKED = 1 << 16

_SQUARE_OF_NAME = {name: int(TO_ENGINE[square]) for square, name in enumerate(NAMES)}


def packed_from_usi(usi: str) -> int:
    """The packed move that `usi` names, such as 7g7f, 2b3a+ or P*5e. Raises ShogiError for any other text."""
    origin, destination, rest = usi[:2], usi[2:4], usi[4:]
    dropped = origin[1:] == "*" and origin[0] in HAND_ORDER
    known = destination in _SQUARE_OF_NAME and (dropped or origin in _SQUARE_OF_NAME)
    if not known or rest not in ({""} if dropped else {"", "+"}) or origin == destination:
        raise ShogiError(f"{usi!r} is no move in USI; write one such as 7g7f, 2b3a+ or P*5e")
    to = _SQUARE_OF_NAME[destination]
    if dropped:
        return DROP | KINDS.index(origin[0]) << ORIGIN_SHIFT | to
    return (PROMOTION if rest else 0) | _SQUARE_OF_NAME[origin] << ORIGIN_SHIFT | to


@cache
def usi_from_packed(move: int) -> str:
    """The USI name of a packed move of `packed_from_usi` or of the engine."""
    destination = NAMES[FROM_ENGINE[move & SQUARE_BITS]]
    origin = move >> ORIGIN_SHIFT & SQUARE_BITS
    if move & DROP:
        return f"{KINDS[origin]}*{destination}"
    return f"{NAMES[FROM_ENGINE[origin]]}{destination}{'+' if move & PROMOTION else ''}"
