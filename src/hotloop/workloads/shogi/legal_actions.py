"""Legal moves of many positions as rows of a mask over actions."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hotloop.workloads.shogi.actions import ActionEncoding
from hotloop.workloads.shogi.game import Game


class LegalActions:
    """Writes which actions are legal into `mask`, shape (N, num_actions), which must be all False at first.

    `actions` lists the legal actions of all positions one after another; those of position i stand from `starts[i]` to
    `starts[i + 1]`. Only what was True before is set back, so that the cost follows the number of legal moves.
    """

    def __init__(self, mask: NDArray[np.bool_], encoding: ActionEncoding) -> None:
        self._cells = mask.reshape(-1)
        self._encoding = encoding
        self._row_starts = np.arange(len(mask)) * encoding.num_actions
        self._written: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self.starts: NDArray[np.int64] = np.zeros(len(mask) + 1, dtype=np.int64)
        self.actions: NDArray[np.int32] = np.empty(0, dtype=np.int32)

    def write(self, games: Sequence[Game], sides: NDArray[np.int64], num_legal: NDArray[np.int64]) -> None:
        """Show the legal moves of `games`, `num_legal` of them for the side to move in each."""
        moves = np.frombuffer(b"".join([game.legal for game in games]), dtype=np.uint16)
        self.actions = self._encoding.encode(moves, np.repeat(sides, num_legal))
        np.cumsum(num_legal, out=self.starts[1:])
        self._cells[self._written] = False
        self._written = np.repeat(self._row_starts, num_legal) + self.actions
        self._cells[self._written] = True

    def sample(self, generator: np.random.Generator) -> NDArray[np.int64]:
        """One legal action of each position, all equally likely, shape (N,)."""
        num_legal = np.diff(self.starts)
        return self.actions[self.starts[:-1] + generator.integers(0, num_legal)].astype(np.int64)
