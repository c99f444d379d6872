import pytest

from hotloop.report.board import board_view

START = "lnsgkgsnl/1r5b1/ppppppppp/9/9/9/PPPPPPPPP/1B5R1/LNSGKGSNL b - 1"


def test_the_first_position_has_forty_pieces():
    view = board_view({"sfen": START, "move": ""}, 0)
    pieces = [square for row in view.rows for square in row if square.piece]
    assert len(pieces) == 40
    assert sum(piece.is_white for piece in pieces) == 20
    assert (view.rows[7][7].piece, view.rows[1][1].piece) == ("\u98db", "\u98db")
    assert view.black_hand == view.white_hand == ""


def test_hands_promotions_and_the_last_move_are_shown():
    sfen = "4k4/9/9/9/4+P4/9/9/9/4K4 w 2P3b 8"
    view = board_view({"sfen": sfen, "move": "5f5e+"}, 7)
    assert view.rows[4][4].piece == "\u3068"
    assert view.rows[4][4].is_last
    assert sum(square.is_last for row in view.rows for square in row) == 1
    assert (view.black_hand, view.white_hand, view.number) == ("\u6b692", "\u89d23", 7)
    assert board_view({"sfen": sfen, "move": "P*5e"}, 7).rows[4][4].is_last


def test_a_board_of_another_size_is_refused():
    with pytest.raises(ValueError, match="is no SFEN"):
        board_view({"sfen": "9/9/9 b - 1", "move": ""}, 0)
