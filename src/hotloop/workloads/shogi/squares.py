"""Squares as numbers: ours by rows, those of the engine by files, and as each side sees them.

Ours: row 0 is rank a (where Black promotes), column 0 is file 9, square = 9 * row + column. The engine counts the ranks
of file 1 first, then those of file 2. White's view turns the board by half a turn.
"""

import numpy as np
from numpy.typing import NDArray

BLACK, WHITE = 0, 1
NUM_SQUARES = 81
RANKS = "abcdefghi"

NAMES: tuple[str, ...] = tuple(f"{9 - column}{RANKS[row]}" for row in range(9) for column in range(9))
"""USI name of each of our squares."""

_by_file = np.arange(NUM_SQUARES)
FROM_ENGINE: NDArray[np.int64] = 9 * (_by_file % 9) + 8 - _by_file // 9
"""Our square for each square of the engine."""

TO_ENGINE: NDArray[np.int64] = np.argsort(FROM_ENGINE)
"""The engine's square for each of ours."""

VIEW: NDArray[np.int64] = np.stack([np.arange(NUM_SQUARES), 80 - np.arange(NUM_SQUARES)])
"""Shape (2, 81): a square as the side sees it; its own inverse."""
