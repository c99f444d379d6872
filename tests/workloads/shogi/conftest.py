"""Positions from random games, which every test of the boards may use."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from hotloop.workloads.shogi.engine import INITIAL_SFEN
from hotloop.workloads.shogi.game import Game

pytest.importorskip("rsshogi", reason="the tests of shogi need the extra [shogi]")

MOST_MOVES = (  # the position with the most legal moves known, 593
    "R8/2K1S1SSk/4B4/9/9/9/9/9/1L1L1L3 b RBGSNLP3g3n17p 1"
)
# Starts that random games from the usual one rarely come near: promoted pieces, full hands, entered kings, few pieces.
STARTS = (
    INITIAL_SFEN,
    MOST_MOVES,
    "4k4/9/9/9/9/9/9/9/4K4 b 2R2B4G4S4N4L18P 1",
    "4k4/9/9/9/9/9/9/9/4K4 w 2r2b4g4s4n4l18p 1",
    "l6nl/5+P1gk/2np1S3/p1p4Pp/3P2Sp1/1PPb2P1P/P5GS1/R8/LN4bKL w RGgsn5p 1",
    "3+N+L+RK2/2+P+S+B4/3+P5/9/4G4/4g4/5+p3/4+b+s+p2/2k+r+l+n3 b 2G2N2L7P6p 300",
)


@pytest.fixture(scope="session")
def played_games() -> Callable[..., Iterator[Game]]:
    def games(num_positions: int, seed: int = 0) -> Iterator[Game]:
        """Random games from several starts, handed out after each move, `num_positions` times in all."""
        generator = np.random.default_rng(seed)
        game = Game(INITIAL_SFEN)
        for number in range(num_positions):
            if not game.legal or len(game.moves) >= 120:
                game = Game(STARTS[number % len(STARTS)])
            yield game
            game.play(game.legal[int(generator.integers(0, len(game.legal)))])

    return games
