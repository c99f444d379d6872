"""Who may declare: the king, ten pieces, the points, and no check."""

import numpy as np
import pytest
from rsshogi.core import Board

from hotloop.workloads.shogi.board_arrays import BoardArrays
from hotloop.workloads.shogi.declaration import can_declare

# Eight pawns, a rook and a bishop around the king count 18; a rook and a bishop in hand 10 more.
ENTERED = "+P+P+P+P+P+PRBK/+P+P7/9/9/9/9/9/9/4k4 b RB 1"


def may(sfen: str, *, in_check: bool = False, points: tuple[int, int] = (28, 27)) -> bool:
    arrays = BoardArrays(1)
    arrays.set_sfen(0, sfen)
    return bool(can_declare(arrays, np.array([in_check]), points)[0])


def test_28_points_are_enough_for_black_and_27_are_not():
    assert may(ENTERED)
    assert may(ENTERED.replace("b RB", "b R5P"))
    assert not may(ENTERED.replace("b RB", "b R4P"))


def test_white_needs_27():
    turned = Board(ENTERED.replace("b RB", "b R4P")).to_sfen_flipped()
    assert turned.split()[1:3] == ["w", "r4p"]
    assert may(turned)
    assert not may(turned.replace("r4p", "r3p"))


@pytest.mark.parametrize(
    "sfen",
    [
        ENTERED.replace("+P+P7", "+P8").replace("RB 1", "RB10P 1"),  # nine pieces
        ENTERED.replace("RBK", "RB1").replace("9/9/4k4", "9/8K/4k4"),  # the king has not entered
        ENTERED.replace("+P+P7/9/9", "9/9/+P+P7"),  # two pieces stand on the fourth rank
        ENTERED.replace("b RB", "w RB"),  # the other side is to move
        ENTERED.replace("b RB", "b rb"),  # the pieces are in the other hand
    ],
)
def test_what_falls_short_is_no_declaration(sfen):
    assert not may(sfen)


def test_no_one_declares_in_check():
    assert not may(ENTERED, in_check=True)


def test_the_king_counts_nothing_and_promotion_changes_nothing():
    promoted = ENTERED.replace("RBK", "+R+BK")
    assert may(promoted)
    assert not may(promoted, points=(29, 27))


def test_another_number_of_points_may_be_asked_for():
    assert may(ENTERED.replace("b RB", "b R1P").replace("1P", "P"), points=(24, 24))
    assert not may(ENTERED.replace("b RB", "b R"), points=(24, 24))
