"""The numbers of pieces are those of the engine."""

from rsshogi.types import Color, Piece, PieceType

from hotloop.workloads.shogi.pieces import HAND_KINDS, HAND_LIMITS, HAND_ORDER, HAND_PLACES, KINDS, OF_WHITE, PROMOTED


def test_kinds_are_counted_as_the_engine_counts_them():
    assert [int(PieceType.from_usi(letter)) for letter in KINDS[1:]] == list(range(1, 9))
    assert int(PieceType.from_usi("R").promote()) == KINDS.index("R") + PROMOTED
    assert int(Piece.from_color_type(Color.WHITE, PieceType.ROOK)) == KINDS.index("R") + OF_WHITE


def test_places_in_the_hand_and_kinds_are_each_others_inverse():
    assert "".join(KINDS[kind] for kind in HAND_KINDS) == HAND_ORDER
    assert [int(HAND_PLACES[kind]) for kind in HAND_KINDS] == list(range(7))


def test_a_game_has_38_pieces_besides_the_kings():
    assert HAND_LIMITS.sum() == 38
