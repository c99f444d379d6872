"""Games in step with each other keep what each of them would tell alone."""

import numpy as np

from hotloop.workloads.shogi.game import Game
from hotloop.workloads.shogi.packed_moves import packed_from_usi
from hotloop.workloads.shogi.positions import Positions

STARTS = ["4k4/9/9/9/9/9/9/9/4K4 b - 41", "lnsgkgsnl/1r5b1/ppppppppp/9/9/9/PPPPPPPPP/1B5R1/LNSGKGSNL b - 1"]


def test_numbers_follow_the_games():
    generator = np.random.default_rng(0)
    positions = Positions([Game(sfen) for sfen in STARTS])
    for _ in range(30):
        moves = [game.legal[int(generator.integers(0, len(game.legal)))] for game in positions.games]
        positions.play(np.array(moves, dtype=np.int32))
    assert positions.plies.tolist() == [30, 30]
    assert positions.move_numbers.tolist() == [71, 31]
    assert [game.sfen().split()[-1] for game in positions.games] == ["71", "31"]
    assert positions.arrays.sides.tolist() == [game.side for game in positions.games] == [0, 0]
    assert positions.num_legal.tolist() == [len(game.legal) for game in positions.games]
    assert positions.occurrences.tolist() == [game.history.occurrences for game in positions.games]


def test_another_game_takes_its_history_along():
    shuffle = ["2h3h", "8b7b", "3h2h", "7b8b"]
    game = Game(STARTS[1])
    for usi in shuffle:
        game.play(packed_from_usi(usi))
    positions = Positions([Game(STARTS[1]), Game(STARTS[1])])
    positions.put(1, game)
    assert positions.occurrences.tolist() == [1, 2]
    assert positions.plies.tolist() == [0, 4]
    assert positions.move_numbers.tolist() == [1, 5]
