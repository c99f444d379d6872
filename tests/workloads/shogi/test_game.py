"""One game by the rules: what may be dropped where, what must promote, and a history that is kept."""

import pytest
from rsshogi.core import Board

from hotloop.workloads.shogi import IllegalAction
from hotloop.workloads.shogi.engine import INITIAL_SFEN
from hotloop.workloads.shogi.game import Game
from hotloop.workloads.shogi.packed_moves import packed_from_usi, usi_from_packed


def legal(sfen: str) -> set[str]:
    return set(map(usi_from_packed, Game(sfen).legal))


def test_a_pawn_may_not_mate_by_a_drop_but_a_gold_may():
    mate = "7lk/9/8S/9/9/9/9/9/4K4 b GP 1"
    assert "P*1b" not in legal(mate)
    assert "G*1b" in legal(mate)


def test_a_pawn_may_give_check_by_a_drop_that_is_no_mate():
    assert "P*1b" in legal("8k/9/8S/9/9/9/9/9/4K4 b P 1")


def test_a_pawn_on_the_board_may_mate():
    mated = Game("7lk/9/7GP/8L/9/9/9/9/4K4 b - 1")
    mated.play(packed_from_usi("1c1b"))
    assert (len(mated.legal), mated.in_check) == (0, True)


def test_no_second_pawn_on_a_file():
    drops = {move for move in legal("4k4/9/9/9/9/9/4P4/9/4K4 b P 1") if move.startswith("P*")}
    assert drops
    assert not any(move.startswith("P*5") for move in drops)
    assert any(
        move.startswith("P*5") for move in legal("4k4/9/9/9/9/9/4+P4/9/4K4 b P 1")
    )  # a promoted one does not count


@pytest.mark.parametrize(("piece", "ranks"), [("P", "a"), ("L", "a"), ("N", "ab")])
def test_no_piece_is_dropped_where_it_could_never_move(piece, ranks):
    drops = {move for move in legal(f"k8/9/9/9/9/9/9/9/8K b {piece} 1") if move.startswith(piece)}
    assert drops
    assert {move[3] for move in drops} == set("abcdefghi") - set(ranks)


def test_white_has_its_own_last_ranks():
    drops = {move for move in legal("k8/9/9/9/9/9/9/9/8K w n 1") if move.startswith("N")}
    assert {move[3] for move in drops} == set("abcdefg")


@pytest.mark.parametrize(
    ("sfen", "must", "must_not"),
    [
        ("k8/4P4/9/9/9/9/9/9/8K b - 1", "5b5a+", "5b5a"),
        ("k8/4L4/9/9/9/9/9/9/8K b - 1", "5b5a+", "5b5a"),
        ("k8/9/9/4N4/9/9/9/9/8K b - 1", "5d4b+", "5d4b"),
    ],
)
def test_a_piece_that_could_never_move_again_must_promote(sfen, must, must_not):
    assert must in legal(sfen)
    assert must_not not in legal(sfen)


def test_else_promotion_is_a_choice_for_every_piece():
    moves = legal("3k5/9/9/R1B1P1L1S/9/9/9/9/4K4 b - 1")
    for move in ("9d9c", "7d6c", "5d5c", "3d3c", "1d1c", "3d3b"):
        assert {move, f"{move}+"} <= moves


def test_a_pinned_piece_stays():
    assert not any(move.startswith("5h") for move in legal("4r4/9/9/9/9/9/9/4S4/4K3k b - 1") - {"5h5g"})


def test_moves_that_are_given_are_checked():
    moves = [packed_from_usi(usi) for usi in ("7g7f", "3c3d", "8h2b+")]
    assert Game(INITIAL_SFEN, moves).sfen().split()[1:] == ["w", "B", "4"]
    with pytest.raises(IllegalAction, match=r"7g7f is not legal in 'lnsgkgsnl.* w - 2'"):
        Game(INITIAL_SFEN, [moves[0], moves[0]])


def test_the_start_may_be_in_the_midst_of_a_game():
    game = Game("4k4/9/9/9/9/9/9/9/4K4 w - 90")
    assert (game.start_number, game.side, game.moves, game.history.occurrences) == (90, 1, [], 1)


def compare_with_cshogi(games) -> None:
    cshogi = pytest.importorskip("cshogi", reason="the second opinion on legal moves is not installed")
    for game in games:
        board = cshogi.Board(game.sfen())
        assert sorted(map(usi_from_packed, game.legal)) == sorted(map(cshogi.move_to_usi, board.legal_moves))
        assert game.in_check == board.is_check()


def test_a_second_engine_finds_the_same_legal_moves(played_games):
    compare_with_cshogi(played_games(400))


@pytest.mark.slow
def test_a_second_engine_finds_the_same_legal_moves_in_20_000_positions(played_games):
    compare_with_cshogi(played_games(20_000, seed=5))


def test_the_engine_follows_its_own_moves(played_games):
    for game in played_games(200):
        assert sorted(move.to_usi() for move in Board(game.sfen()).legal_moves()) == sorted(
            map(usi_from_packed, game.legal)
        )
