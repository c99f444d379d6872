"""Every way a game ends, seen through the environment: reason, winner, reward of the mover."""

import pytest

from hotloop.workloads.shogi import EndReason, VectorShogi
from hotloop.workloads.shogi.engine import INITIAL_SFEN

ENTERING = "+P+P+P+P+P+PRBK/+P+P7/9/9/9/9/9/9/4k4 w RB 1"  # Black may declare as soon as White has moved
PERPETUAL = ("9b9a 5a5b 9a9b 5b5a " * 3).split()
SHUFFLE = ("2h3h 8b7b 3h2h 7b8b " * 3).split()


def ended(sfen: str, *moves: str, **options):
    """Plays the moves of one game, which only the last may end; that step's results as plain values."""
    env = VectorShogi(1, **options)
    env.from_sfen([sfen])
    for usi in moves[:-1]:
        assert env.step([env.action_from_usi(0, usi)])[5]["reasons"].tolist() == [EndReason.ONGOING]
    _, _, rewards, terminated, truncated, infos = env.step([env.action_from_usi(0, moves[-1])])
    reason = EndReason(int(infos["reasons"][0]))
    return reason, int(infos["winners"][0]), float(rewards[0]), bool(terminated[0]), bool(truncated[0])


@pytest.mark.parametrize(
    ("sfen", "moves", "expected"),
    [
        ("4k4/9/4P4/9/9/9/9/9/4K4 b G 1", ["G*5b"], (EndReason.CHECKMATE, 0, 1.0)),
        ("4k4/9/9/9/9/9/4p4/9/4K4 w g 1", ["G*5h"], (EndReason.CHECKMATE, 1, 1.0)),
        ("8k/6G2/9/8P/9/9/9/9/4K4 b - 1", ["1d1c"], (EndReason.NO_LEGAL_MOVES, 0, 1.0)),
        ("4k4/R8/9/9/9/9/9/9/4K4 b - 1", PERPETUAL, (EndReason.PERPETUAL_CHECK, 1, 1.0)),
        (INITIAL_SFEN, SHUFFLE, (EndReason.FOURFOLD_REPETITION, -1, 0.0)),
        (ENTERING, ["5i5h"], (EndReason.DECLARATION, 0, -1.0)),
    ],
    ids=["mate by Black", "mate by White", "no legal move", "perpetual check", "repetition", "declaration"],
)
def test_a_game_ends_by_the_rules(sfen, moves, expected):
    assert ended(sfen, *moves) == (*expected, True, False)


def test_a_game_is_cut_off_at_the_most_moves():
    assert ended(INITIAL_SFEN, "7g7f", "3c3d", max_plies=2) == (EndReason.MAX_PLIES, -1, 0.0, False, True)


def test_a_mate_with_the_last_move_that_is_allowed_is_a_mate():
    mate = ended("4k4/9/4P4/9/9/9/9/9/4K4 b G 1", "G*5b", max_plies=1)
    assert mate == (EndReason.CHECKMATE, 0, 1.0, True, False)


def test_without_declarations_the_game_goes_on():
    assert ended(ENTERING, "5i5h", declaration_points=None) == (EndReason.ONGOING, -1, 0.0, False, False)


def test_fewer_points_may_be_asked_for():
    fewer = ENTERING.replace("w RB", "w R")
    assert ended(fewer, "5i5h")[0] == EndReason.ONGOING
    assert ended(fewer, "5i5h", declaration_points=(23, 23))[:2] == (EndReason.DECLARATION, 0)
