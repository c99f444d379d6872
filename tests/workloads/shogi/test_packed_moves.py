"""Packed moves and their USI names."""

import pytest
from rsshogi.core import Move

from hotloop.workloads.shogi import ShogiError
from hotloop.workloads.shogi.packed_moves import packed_from_usi, usi_from_packed
from hotloop.workloads.shogi.squares import NAMES

BOARD_MOVES = [f"{a}{b}{p}" for a in NAMES for b in NAMES if a != b for p in ("", "+")]
DROPS = [f"{letter}*{square}" for letter in "PLNSGBR" for square in NAMES]


@pytest.mark.parametrize("names", [BOARD_MOVES, DROPS], ids=["on the board", "drops"])
def test_every_move_is_packed_as_the_engine_packs_it_and_named_again(names):
    packed = [packed_from_usi(name) for name in names]
    assert packed == [Move.from_usi(name).value for name in names]
    assert [usi_from_packed(move) for move in packed] == names


@pytest.mark.parametrize(
    "text",
    ["", "7g", "7g7", "7g7g", "7g7f-", "7g7f++", "0a1a", "7j7i", "K*5e", "p*5e", "P*5e+", "P*5j", "resign", "77"],
)
def test_other_text_is_refused_with_an_example(text):
    with pytest.raises(ShogiError, match=r"is no move in USI; write one such as 7g7f, 2b3a\+ or P\*5e"):
        packed_from_usi(text)
