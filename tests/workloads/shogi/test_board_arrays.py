"""Arrays of positions go on exactly as the engine's boards do."""

import numpy as np
import pytest

from hotloop.workloads.shogi.board_arrays import BoardArrays
from hotloop.workloads.shogi.engine import INITIAL_SFEN
from hotloop.workloads.shogi.packed_moves import packed_from_usi
from hotloop.workloads.shogi.pieces import KINDS, OF_WHITE, PROMOTED
from hotloop.workloads.shogi.squares import BLACK, NAMES, WHITE


def arrays_of(sfen: str) -> BoardArrays:
    arrays = BoardArrays(1)
    arrays.set_sfen(0, sfen)
    return arrays


def test_the_start_has_its_pieces_where_they_belong():
    arrays = arrays_of(INITIAL_SFEN)
    at = dict(zip(NAMES, arrays.pieces[0].tolist(), strict=True))
    assert [at[name] for name in ("2h", "8h", "5i", "5e")] == [6, 5, 8, 0]
    assert [at[name] for name in ("8b", "2b", "5a")] == [6 + OF_WHITE, 5 + OF_WHITE, 8 + OF_WHITE]
    assert (arrays.hands.sum(), arrays.sides.tolist()) == (0, [BLACK])


def test_hands_and_promoted_pieces_are_read():
    arrays = arrays_of("4k4/9/9/3+R5/9/9/9/2+p6/4K4 w 2G10Pb3n 44")
    assert arrays.hands[0].tolist() == [[10, 0, 0, 0, 2, 0, 0], [0, 0, 3, 0, 0, 1, 0]]
    assert arrays.pieces[0, NAMES.index("6d")] == KINDS.index("R") + PROMOTED
    assert arrays.pieces[0, NAMES.index("7h")] == KINDS.index("P") + PROMOTED + OF_WHITE
    assert arrays.sides[0] == WHITE


def differences(games) -> int:
    """Plays the moves of the games in arrays; how many positions were compared."""
    compared, before = 0, None
    for game in games:
        expected = arrays_of(game.sfen())
        if before is not None and game.moves:
            before.apply(np.array([game.moves[-1]], dtype=np.int32))
            for name in ("pieces", "hands", "sides"):
                assert np.array_equal(getattr(before, name), getattr(expected, name)), (name, game.sfen())
            compared += 1
        before = expected
    return compared


def test_moves_of_2000_positions_lead_where_the_engine_goes(played_games):
    assert differences(played_games(2000)) > 1900


@pytest.mark.slow
def test_moves_of_100_000_positions_lead_where_the_engine_goes(played_games):
    assert differences(played_games(100_000, seed=2)) > 95_000


def test_all_rows_move_at_once_and_apart():
    arrays = BoardArrays(2)
    arrays.set_sfen(0, "4k4/9/9/9/4p4/4P4/9/9/4K4 b G 1")
    arrays.set_sfen(1, "4k4/9/9/9/4p4/4P4/9/9/4K4 w G 2")
    drop, capture = packed_from_usi("G*5d"), packed_from_usi("5e5f")
    arrays.apply(np.array([drop, capture], dtype=np.int32))
    assert arrays.pieces[0, NAMES.index("5d")] == KINDS.index("G")
    assert arrays.hands.tolist() == [[[0] * 7, [0] * 7], [[0, 0, 0, 0, 1, 0, 0], [1, 0, 0, 0, 0, 0, 0]]]
    assert [arrays.pieces[1, NAMES.index(name)] for name in ("5e", "5f")] == [0, KINDS.index("P") + OF_WHITE]
    assert arrays.sides.tolist() == [WHITE, BLACK]
