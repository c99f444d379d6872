"""A position of shogi for a page: the pieces of each square and both hands, from its SFEN."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_KANJI = dict(
    zip(
        ("P", "L", "N", "S", "G", "B", "R", "K", "+P", "+L", "+N", "+S", "+B", "+R"),
        "\u6b69\u9999\u6842\u9280\u91d1\u89d2\u98db\u7389\u3068\u674f\u572d\u5168\u99ac\u9f8d",
        strict=True,
    )
)


@dataclass(frozen=True, kw_only=True)
class Square:
    """What stands on a square: a kanji or nothing, whose it is, and whether the last move ended there."""

    piece: str = ""
    is_white: bool = False
    is_last: bool = False


@dataclass(frozen=True, kw_only=True)
class BoardView:
    """One position: nine rows of nine squares, hands in words, and the move that led to it."""

    rows: tuple[tuple[Square, ...], ...]
    black_hand: str
    white_hand: str
    move: str
    number: int


def board_view(position: Mapping[str, str], number: int) -> BoardView:
    """The view of {"sfen", "move"}, the `number`-th of its game. Raises ValueError for what is no SFEN."""
    board, _, hands, *_ = position["sfen"].split()
    target = _square_of(position["move"])
    rows = tuple(_row(text, rank, target) for rank, text in enumerate(board.split("/")))
    if len(rows) != 9 or any(len(row) != 9 for row in rows):
        raise ValueError(f"{position['sfen']!r} is no SFEN: its board has not nine rows of nine squares")
    return BoardView(
        rows=rows,
        black_hand=_hand(hands, str.isupper),
        white_hand=_hand(hands, str.islower),
        move=position["move"],
        number=number,
    )


def _row(text: str, rank: int, target: tuple[int, int] | None) -> tuple[Square, ...]:
    squares: list[Square] = []
    for part in re.findall(r"\d|\+?[A-Za-z]", text):
        if part.isdigit():
            squares += [Square()] * int(part)
        else:
            is_last = target == (rank, len(squares))
            squares.append(Square(piece=_KANJI[part.upper()], is_white=part[-1].islower(), is_last=is_last))
    return tuple(squares)


def _square_of(move: str) -> tuple[int, int] | None:
    """Row and column of the square on which a USI move ends."""
    found = re.fullmatch(r"(?:[1-9][a-i]|[A-Z]\*)([1-9])([a-i])\+?", move)
    return None if found is None else (ord(found[2]) - ord("a"), 9 - int(found[1]))


def _hand(text: str, belongs: Callable[[str], bool]) -> str:
    pieces = [(count, piece) for count, piece in re.findall(r"(\d*)([A-Za-z])", text) if belongs(piece)]
    return " ".join(f"{_KANJI[piece.upper()]}{count}" for count, piece in pieces)
