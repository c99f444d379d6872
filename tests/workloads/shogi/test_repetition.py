"""The fourth occurrence of a position, and who only gave check until then."""

import numpy as np
import pytest
from rsshogi.core import Board, Move
from rsshogi.types import RepetitionState

from hotloop.workloads.shogi.game import Game
from hotloop.workloads.shogi.packed_moves import packed_from_usi
from hotloop.workloads.shogi.repetition import PositionHistory, Repetition
from hotloop.workloads.shogi.squares import BLACK, WHITE

ROOK_AGAINST_KING = "4k4/R8/9/9/9/9/9/9/4K4 b - 1"
ALWAYS_CHECKING = "9b9a 5a5b 9a9b 5b5a"


def played(sfen: str, moves: str) -> Game:
    game = Game(sfen)
    for usi in moves.split():
        game.play(packed_from_usi(usi))
    return game


def test_the_fourth_time_is_a_draw_and_the_third_is_not():
    shuffle = "2h3h 8b7b 3h2h 7b8b "
    start = "lnsgkgsnl/1r5b1/ppppppppp/9/9/9/PPPPPPPPP/1B5R1/LNSGKGSNL b - 1"
    assert (played(start, shuffle * 2).history.occurrences, played(start, shuffle * 2).history.repetition) == (3, 3)
    assert played(start, shuffle * 3).history.repetition == Repetition.DRAW


def test_a_side_that_only_gave_check_loses():
    assert played(ROOK_AGAINST_KING, f"{ALWAYS_CHECKING} " * 3).history.repetition == Repetition.BLACK_LOSES


def test_so_does_white():
    white = "4k4/9/9/9/9/9/9/r8/4K4 w - 1"
    assert played(white, "9h9i 5i5h 9i9h 5h5i " * 3).history.repetition == Repetition.WHITE_LOSES


def test_one_quiet_move_in_between_makes_it_a_draw():
    quiet = "9b8b 5a4a 8b9b 4a5a "  # the same position again, without a check
    moves = f"{ALWAYS_CHECKING} {ALWAYS_CHECKING} {quiet}"
    assert played(ROOK_AGAINST_KING, moves).history.repetition == Repetition.DRAW


def test_checks_before_the_first_occurrence_do_not_count():
    history = PositionHistory()
    for number in range(13):  # Black checks in the first round only
        history.add(bytes([number % 4]), number % 2, in_check=number in {1, 3})
    assert history.repetition == Repetition.DRAW


def test_where_both_sides_only_give_check_it_is_a_draw():
    history = PositionHistory()
    for number in range(13):
        history.add(bytes([number % 4]), number % 2, in_check=True)
    assert history.repetition == Repetition.DRAW


def test_positions_differ_by_hands_and_by_the_side_to_move():
    sfens = ["4k4/9/9/9/9/9/9/9/4K4 b - 1", "4k4/9/9/9/9/9/9/9/4K4 w - 1", "4k4/9/9/9/9/9/9/9/4K4 b p 1"]
    assert len({Board(sfen).to_packed_sfen() for sfen in sfens}) == 3
    assert Board(sfens[0]).to_packed_sfen() == Board(sfens[0][:-1] + "9").to_packed_sfen()


def test_positions_of_random_games_have_keys_of_their_own(played_games):
    keys = {}
    for game in played_games(1500):
        key = Board(game.sfen()).to_packed_sfen()
        position = game.sfen().rpartition(" ")[0]
        assert keys.setdefault(key, position) == position
    assert len(keys) > 1400


MEANINGS = {
    (RepetitionState.DRAW, BLACK): Repetition.DRAW,
    (RepetitionState.DRAW, WHITE): Repetition.DRAW,
    (RepetitionState.WIN, BLACK): Repetition.WHITE_LOSES,
    (RepetitionState.WIN, WHITE): Repetition.BLACK_LOSES,
    (RepetitionState.LOSE, BLACK): Repetition.BLACK_LOSES,
    (RepetitionState.LOSE, WHITE): Repetition.WHITE_LOSES,
}


@pytest.mark.parametrize("seed", range(12))
def test_the_engine_means_the_same_at_the_fourth_occurrence(seed):
    generator = np.random.default_rng(seed)
    sfen = (ROOK_AGAINST_KING, "k8/9/9/9/9/9/9/9/8K b - 1", "k8/1R7/9/9/9/9/9/7r1/8K b - 1")[seed % 3]
    game, board = Game(sfen), Board(sfen)
    while game.legal and game.history.repetition == Repetition.NONE and len(game.moves) < 3000:
        # Back to where it stood two moves ago, as often as it goes, so that positions come again.
        back = [m for m in game.legal if len(game.moves) > 1 and goes_back(m, game.moves[-2])]
        moves = back if back and generator.random() < 0.8 else game.legal
        move = moves[int(generator.integers(0, len(moves)))]
        board.push_move(Move(move))
        game.play(move)
    if game.legal and len(game.moves) < 3000:
        assert MEANINGS[board.repetition_state(), game.side] == game.history.repetition


@pytest.mark.parametrize(
    ("sfen", "moves"), [(ROOK_AGAINST_KING, ALWAYS_CHECKING), ("4k4/9/9/9/9/9/9/r8/4K4 w - 1", "9h9i 5i5h 9i9h 5h5i")]
)
def test_the_engine_lets_the_checking_side_lose_too(sfen, moves):
    board = Board(sfen)
    for usi in f"{moves} ".split() * 3:
        board.push_usi(usi)
    game = played(sfen, f"{moves} " * 3)
    assert MEANINGS[board.repetition_state(), game.side] == game.history.repetition != Repetition.DRAW


def goes_back(move: int, earlier: int) -> bool:
    return move & 127 == earlier >> 7 & 127 and move >> 7 & 127 == earlier & 127
