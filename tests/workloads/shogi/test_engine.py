"""Positions that can stand in a game are taken, others are refused with what is wrong."""

import re
import sys
from pathlib import Path

import pytest

import hotloop
from hotloop.workloads.shogi import GameRecord, ShogiError, VectorShogi
from hotloop.workloads.shogi.engine import INITIAL_SFEN, board_from_sfen, side_to_move
from hotloop.workloads.shogi.squares import BLACK, WHITE


def test_a_position_is_written_as_it_was_read():
    for sfen in (INITIAL_SFEN, "4k4/9/4+p4/9/9/9/9/9/4K4 w 2R17Pb 77"):
        assert board_from_sfen(sfen).to_sfen() == sfen


def test_the_side_to_move_is_black_or_white():
    assert side_to_move(board_from_sfen(INITIAL_SFEN)) == BLACK
    assert side_to_move(board_from_sfen(INITIAL_SFEN.replace(" b ", " w "))) == WHITE


@pytest.mark.parametrize("text", ["", "startpos", "9/9/9 b - 1", INITIAL_SFEN.replace(" b ", " x "), INITIAL_SFEN[:-4]])
def test_what_is_no_sfen_is_refused_with_an_example(text):
    with pytest.raises(ShogiError, match=r"is no SFEN \(.+\); write it as 'lnsgkgsnl/"):
        board_from_sfen(text)


@pytest.mark.parametrize(
    ("sfen", "what"),
    [
        ("9/9/9/9/9/9/9/9/4K4 b - 1", "White king is missing"),
        ("P3k4/9/9/9/9/9/9/9/4K4 b - 1", "invalid placement"),
        ("4k4/9/9/9/9/P8/P8/9/4K4 b - 1", "double pawn"),
        ("4k4/9/9/9/9/9/9/9/4K4 b 19P 1", "excessive piece count"),
        ("4k4/4R4/9/9/9/9/9/9/4K4 b - 1", "the side that is not to move is in check"),
    ],
)
def test_a_position_that_breaks_the_rules_is_refused_with_the_reason(sfen, what):
    with pytest.raises(ShogiError, match=f"cannot stand in a game: .*{what}.*; correct it"):
        board_from_sfen(sfen)


@pytest.mark.parametrize("use", [lambda: VectorShogi(1), lambda: GameRecord().kif()], ids=["boards", "records"])
def test_without_the_engine_the_message_says_what_to_install(use, monkeypatch):
    monkeypatch.setitem(sys.modules, "rsshogi", None)
    monkeypatch.setitem(sys.modules, "rsshogi.core", None)
    with pytest.raises(ShogiError, match=r"run pip install 'hotloop\[shogi\]'"):
        use()


def test_no_other_part_of_the_package_imports_the_engine():
    package = Path(hotloop.__file__).parent
    users = {path.parent for path in package.rglob("*.py") if re.search(r"(from|import) rsshogi", path.read_text())}
    assert users == {package / "workloads" / "shogi"}
