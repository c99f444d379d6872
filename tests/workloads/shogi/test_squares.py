"""The numbers of squares are those that the encodings and the engine mean."""

import numpy as np
from rsshogi.types import Square

from hotloop.workloads.shogi.squares import BLACK, FROM_ENGINE, NAMES, TO_ENGINE, VIEW, WHITE


def test_the_first_row_is_rank_a_and_the_first_column_file_9():
    assert [NAMES[0], NAMES[8], NAMES[9], NAMES[80]] == ["9a", "1a", "9b", "1i"]


def test_the_engine_names_its_squares_as_we_do():
    assert [NAMES[FROM_ENGINE[square]] for square in range(81)] == [Square(square).to_usi() for square in range(81)]
    assert np.array_equal(TO_ENGINE[FROM_ENGINE], np.arange(81))


def test_white_sees_the_board_from_the_other_end():
    assert NAMES[VIEW[WHITE, NAMES.index("3c")]] == "7g"
    assert np.array_equal(VIEW[WHITE][VIEW[WHITE]], VIEW[BLACK])
