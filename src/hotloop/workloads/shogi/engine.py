"""The boards and records of rsshogi, which know the moves of the pieces; nothing else imports it."""

from types import ModuleType
from typing import TYPE_CHECKING

from hotloop.workloads.shogi.shogi_error import ShogiError
from hotloop.workloads.shogi.squares import BLACK, WHITE

if TYPE_CHECKING:
    from rsshogi.core import Board, Move

INITIAL_SFEN = "lnsgkgsnl/1r5b1/ppppppppp/9/9/9/PPPPPPPPP/1B5R1/LNSGKGSNL b - 1"


def move_class() -> "type[Move]":
    """The engine's class of moves, made from 16 bits. Raises ShogiError where the engine is not installed."""
    try:
        from rsshogi.core import Move
    except ImportError:
        raise _engine_missing() from None
    return Move


def board_from_sfen(sfen: str) -> "Board":
    """A board with that position and no history.

    Raises ShogiError where the text is no SFEN, the position breaks the rules (pieces, kings, pawns on one file, a
    piece that could never move, the side not to move in check), or the engine is not installed.
    """
    try:
        from rsshogi.core import Board
        from rsshogi.types import Color
    except ImportError:
        raise _engine_missing() from None
    try:
        board = Board(sfen)
    except ValueError as error:
        raise ShogiError(f"{sfen!r} is no SFEN ({error}); write it as {INITIAL_SFEN!r}") from error
    issues = [issue.message for issue in board.validate_all().issues]
    if not issues and board.is_attacked_by(board.king_square(Color(1 - side_to_move(board))), board.turn):
        issues = ["the side that is not to move is in check"]
    if issues:
        raise ShogiError(f"the position {sfen!r} cannot stand in a game: {'; '.join(issues)}; correct it")
    return board


def records() -> "ModuleType":
    """The engine's module of game records. Raises ShogiError where it is not installed."""
    try:
        from rsshogi import record
    except ImportError:
        raise _engine_missing() from None
    return record


def side_to_move(board: "Board") -> int:
    """0 for Black, 1 for White."""
    return BLACK if board.turn.is_black() else WHITE


def _engine_missing() -> ShogiError:
    return ShogiError("shogi is played by rsshogi, which is not installed; run pip install 'hotloop[shogi]'")
