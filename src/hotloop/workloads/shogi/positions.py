"""N games in step with each other, and what stands on their boards as arrays."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from hotloop.workloads.shogi.board_arrays import BoardArrays
from hotloop.workloads.shogi.game import Game
from hotloop.workloads.shogi.repetition import Repetition


class Positions:
    """What stands in N games now: `arrays`, and `in_check`, `occurrences`, `repetitions`, `num_legal`, `plies`.

    The latter have shape (N,). `games` are the games that led there; only this class plays in them. `plies` counts the
    moves since the start of each, `move_numbers` goes on from the number of its first position.
    """

    def __init__(self, games: Iterable[Game]) -> None:
        self.games = list(games)
        num_games = len(self.games)
        self.arrays = BoardArrays(num_games)
        self.in_check: NDArray[np.bool_] = np.zeros(num_games, dtype=np.bool_)
        self.occurrences: NDArray[np.int64] = np.ones(num_games, dtype=np.int64)
        self.repetitions: NDArray[np.int64] = np.full(num_games, Repetition.NONE, dtype=np.int64)
        self.num_legal: NDArray[np.int64] = np.zeros(num_games, dtype=np.int64)
        self.plies: NDArray[np.int64] = np.zeros(num_games, dtype=np.int64)
        self.move_numbers: NDArray[np.int64] = np.ones(num_games, dtype=np.int64)
        for row, game in enumerate(self.games):
            self.put(row, game)

    def play(self, moves: NDArray[np.int32]) -> None:
        """Play one packed move in each game; all must be legal."""
        for game, move in zip(self.games, moves.tolist(), strict=True):
            game.play(move)
        self.arrays.apply(moves)
        self.plies += 1
        self.move_numbers += 1
        self.in_check[:] = [game.in_check for game in self.games]
        self.occurrences[:] = [game.history.occurrences for game in self.games]
        self.repetitions[:] = [game.history.repetition for game in self.games]
        self.num_legal[:] = [len(game.legal) for game in self.games]

    def put(self, row: int, game: Game) -> None:
        """Go on with another game in that row, from where it stands."""
        self.games[row] = game
        self.arrays.set_sfen(row, game.sfen())
        self.in_check[row] = game.in_check
        self.occurrences[row] = game.history.occurrences
        self.repetitions[row] = game.history.repetition
        self.num_legal[row] = len(game.legal)
        self.plies[row] = len(game.moves)
        self.move_numbers[row] = game.start_number + len(game.moves)
