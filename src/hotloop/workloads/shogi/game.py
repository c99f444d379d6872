"""One game: the engine's board, where it started, the moves since and the positions they led through."""

from array import array
from collections.abc import Iterable

from hotloop.workloads.shogi.engine import board_from_sfen, move_class, side_to_move
from hotloop.workloads.shogi.packed_moves import usi_from_packed
from hotloop.workloads.shogi.repetition import PositionHistory
from hotloop.workloads.shogi.shogi_error import IllegalAction

_PACKED = "H"  # two bytes a move, so that the moves of many games fit into a cache


class Game:
    """A game from `start_sfen` on.

    `moves` are packed, and so are the `legal` ones of `side`, which is to move and may be `in_check`.
    """

    def __init__(self, start_sfen: str, moves: Iterable[int] = ()) -> None:
        """Set up and play `moves`. Raises IllegalAction at the first that is not legal, ShogiError as positions do."""
        self._board = board_from_sfen(start_sfen)
        self._move = move_class()
        self.start_sfen = self._board.to_sfen()
        self.start_number = self._board.game_ply
        self.moves: list[int] = []
        self.history = PositionHistory()
        self.side = side_to_move(self._board)
        self.legal: array[int] = array(_PACKED)
        self.in_check = False
        self._look()
        for move in moves:
            if move not in self.legal:
                raise IllegalAction(f"{usi_from_packed(move)} is not legal in {self.sfen()!r}: check the game")
            self.play(move)

    def play(self, move: int) -> None:
        """Play a packed move, which must be one of `legal`; this is not checked."""
        self._board.apply_move(self._move(move))
        self.moves.append(move)
        self.side = 1 - self.side
        self._look()

    def sfen(self) -> str:
        """The position that stands now, with the number of the move."""
        return self._board.to_sfen()

    def _look(self) -> None:
        self.legal = array(_PACKED, [move.value for move in self._board.legal_moves()])
        self.in_check = self._board.is_in_check()
        self.history.add(self._board.to_packed_sfen(), self.side, in_check=self.in_check)
