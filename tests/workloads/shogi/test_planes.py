"""Planes hold what their list says, position by position, and both sides see alike."""

import numpy as np
import pytest
from rsshogi.core import Board
from rsshogi.types import Color, PieceType, Square

from hotloop.workloads.shogi.board_arrays import BoardArrays
from hotloop.workloads.shogi.engine import INITIAL_SFEN
from hotloop.workloads.shogi.planes import PlaneWriter

PLAIN = ["PAWN", "LANCE", "KNIGHT", "SILVER", "GOLD", "BISHOP", "ROOK", "KING"]
PROMOTED = ["PRO_PAWN", "PRO_LANCE", "PRO_KNIGHT", "PRO_SILVER", "HORSE", "DRAGON"]
IN_THE_GAME = {"PAWN": 18, "LANCE": 4, "KNIGHT": 4, "SILVER": 4, "GOLD": 4, "BISHOP": 2, "ROOK": 2}


def planes_of(sfen: str, *, num_planes: int = 46, occurrences: int = 1, in_check: bool = False):
    arrays = BoardArrays(1)
    arrays.set_sfen(0, sfen)
    planes = np.zeros((1, num_planes, 81), dtype=np.float32)
    PlaneWriter(planes).write(
        arrays,
        np.array([0]),
        move_numbers=np.array([int(sfen.split()[3])]),
        occurrences=np.array([occurrences]),
        in_check=np.array([in_check]),
    )
    return planes[0].reshape(num_planes, 9, 9)


def by_the_list(sfen: str):
    """The 46 planes, written square by square from what the engine answers."""
    board = Board(sfen)
    mine, black = board.turn, board.turn.is_black()
    planes = np.zeros((46, 9, 9), dtype=np.float32)
    for color, first, first_promoted, hand in ((mine, 0, 8, 28), (mine.opponent(), 14, 22, 35)):
        for start, names in ((first, PLAIN), (first_promoted, PROMOTED)):
            for place, name in enumerate(names):
                pieces = board.pieces_for(getattr(PieceType, name), color)
                for row in range(9):
                    for column in range(9):
                        square = Square.from_usi(f"{9 - column}{'abcdefghi'[row]}")
                        seen = (row, column) if black else (8 - row, 8 - column)
                        planes[start + place, *seen] = pieces.test(square)
        for place, (name, most) in enumerate(IN_THE_GAME.items()):
            planes[hand + place] = board.hand(color).count(getattr(PieceType, name)) / most
    planes[42] = mine == Color.BLACK
    planes[43] = board.game_ply / 512
    return planes


def test_the_start_by_hand():
    planes = planes_of(INITIAL_SFEN)
    assert planes[0, 6].tolist() == [1.0] * 9  # own pawns on the seventh row
    assert np.argwhere(planes[4]).tolist() == [[8, 3], [8, 5]]  # golds
    assert np.argwhere(planes[5]).tolist() == [[7, 1]]  # bishop on 8h
    assert np.argwhere(planes[6]).tolist() == [[7, 7]]  # rook on 2h
    assert np.argwhere(planes[20]).tolist() == [[1, 1]]  # the opponent's rook on 8b
    assert planes[8:14].sum() == planes[22:42].sum() == 0
    assert planes[42].min() == 1
    assert planes[43].max() == np.float32(1 / 512)


def test_planes_are_those_of_the_list_in_250_positions(played_games):
    for game in played_games(250):
        assert np.array_equal(planes_of(game.sfen()), by_the_list(game.sfen())), game.sfen()


@pytest.mark.slow
def test_planes_are_those_of_the_list_in_5000_positions(played_games):
    for game in played_games(5000, seed=4):
        assert np.array_equal(planes_of(game.sfen()), by_the_list(game.sfen())), game.sfen()


def test_both_sides_see_alike_but_for_the_colour(played_games):
    for game in played_games(100):
        planes, turned = planes_of(game.sfen()), planes_of(Board(game.sfen()).to_sfen_flipped())
        assert np.array_equal(np.delete(planes, 42, axis=0), np.delete(turned, 42, axis=0))
        assert planes[42, 0, 0] == 1 - turned[42, 0, 0]


def test_hands_are_parts_of_what_there_is():
    planes = planes_of("4k4/9/9/9/9/9/9/9/4K4 w R2B9p 1")
    assert planes[28].max() == planes[28].min() == 0.5  # White's nine pawns of 18
    assert [planes[40].max(), planes[41].max()] == [1.0, 0.5]  # Black's bishops and rook
    assert planes[28:42].max(axis=(1, 2)).sum() == 2.0


@pytest.mark.parametrize(("occurrences", "plane"), [(1, 44), (2, 45), (3, 46), (4, 47), (7, 47)])
def test_the_longer_form_tells_how_often_a_position_stood(occurrences, plane):
    planes = planes_of(INITIAL_SFEN, num_planes=50, occurrences=occurrences)
    assert planes[44:48].sum(axis=(1, 2)).tolist() == [81.0 if p == plane else 0.0 for p in range(44, 48)]
    assert planes[48:].sum() == 0


def test_the_longer_form_tells_of_check():
    assert planes_of(INITIAL_SFEN, num_planes=50, in_check=True)[48].min() == 1


def rows_written(writer: PlaneWriter, rows, *sfens: str) -> None:
    arrays = BoardArrays(len(sfens))
    for row, sfen in enumerate(sfens):
        arrays.set_sfen(row, sfen)
    ones, none = np.ones(len(sfens), dtype=np.int64), np.zeros(len(sfens), dtype=np.bool_)
    writer.write(arrays, rows, move_numbers=ones, occurrences=ones, in_check=none)


def test_nothing_is_left_of_the_positions_before():
    planes = np.zeros((2, 50, 81), dtype=np.float32)
    writer = PlaneWriter(planes)
    rows_written(writer, slice(None), "4k4/9/4+p4/9/9/9/9/9/4K4 w 2R17Pb 1", INITIAL_SFEN)
    rows_written(writer, slice(None), INITIAL_SFEN, "8k/9/9/9/9/9/9/9/4K4 b G 1")
    expected = planes_of(INITIAL_SFEN, num_planes=50), planes_of("8k/9/9/9/9/9/9/9/4K4 b G 1", num_planes=50)
    assert np.array_equal(planes.reshape(2, 50, 9, 9), np.stack(expected))


def test_single_rows_are_written_as_all_are():
    planes = np.zeros((3, 46, 81), dtype=np.float32)
    writer = PlaneWriter(planes)
    rows_written(writer, np.array([0, 2]), INITIAL_SFEN, INITIAL_SFEN, "8k/9/9/9/9/9/9/9/4K4 b G 1")
    assert not planes[1].any()
    assert np.array_equal(planes[2].reshape(46, 9, 9), planes_of("8k/9/9/9/9/9/9/9/4K4 b G 1"))
    rows_written(writer, np.array([1]), INITIAL_SFEN, INITIAL_SFEN, INITIAL_SFEN)
    assert np.array_equal(planes[1].reshape(46, 9, 9), planes_of(INITIAL_SFEN))
