"""Pieces as numbers, as the engine counts them, and the order in which hands are written.

Kinds 1 to 8 are pawn, lance, knight, silver, bishop, rook, gold and king; a promoted piece is 8 more. White's pieces
are 16 more than Black's; 0 is an empty square. Hands, and actions that drop a piece, have the order P L N S G B R.
"""

import numpy as np
from numpy.typing import NDArray

KINDS = " PLNSBRGK"
KING = 8
PROMOTED = 8
OF_WHITE = 16
NUM_CODES = 32

HAND_ORDER = "PLNSGBR"
HAND_KINDS: NDArray[np.int64] = np.array([KINDS.index(letter) for letter in HAND_ORDER])
"""The kind at each place of a hand."""

HAND_PLACES: NDArray[np.int64] = np.array([max(HAND_ORDER.find(letter), 0) for letter in KINDS[:KING]])
"""The place in a hand of each kind 1 to 7."""

HAND_LIMITS: NDArray[np.float32] = np.array([18, 4, 4, 4, 4, 2, 2], dtype=np.float32)
"""How many of each kind there are in the game."""
