import pytest

from hotloop.workloads.shogi import VectorShogi
from hotloop.workloads.shogi.board_arrays import BoardArrays
from hotloop.workloads.shogi.engine import INITIAL_SFEN
from hotloop.workloads.shogi.material import material_balance

CASES = [
    (INITIAL_SFEN, 0),
    ("4k4/9/9/9/9/9/9/9/4K4 b R2P 1", 12),  # hand of Black: rook and two pawns
    ("4k4/9/9/9/9/9/9/9/4K4 b 2g 1", -12),
    ("4k4/4+P4/9/9/9/9/9/9/4K1+r2 w - 1", -5),  # a promoted pawn against a promoted rook
]


@pytest.mark.parametrize(("sfen", "expected"), CASES)
def test_balances_by_hand(sfen, expected):
    arrays = BoardArrays(1)
    arrays.set_sfen(0, sfen)
    assert material_balance(arrays).tolist() == [expected]


def test_a_step_tells_what_the_mover_has_won():
    games = VectorShogi(1)
    games.from_sfen(["4k4/9/4p4/4P4/9/9/9/9/4K4 b - 1"])
    *_, infos = games.step([games.action_from_usi(0, "5d5c+")])
    # A pawn taken counts twice (theirs is gone, mine is in hand), and a promotion turns 1 into 7.
    assert infos["material"].tolist() == [2.0 + 6.0]


def test_captures_by_white_are_whites_gain():
    games = VectorShogi(1)
    games.from_sfen(["4k4/9/9/4r4/4P4/9/9/9/3K5 w - 1"])
    *_, infos = games.step([games.action_from_usi(0, "5d5e")])
    assert infos["material"].tolist() == [2.0]
