"""Games as others read them: USI positions and KIF files."""

from dataclasses import dataclass
from pathlib import Path

from hotloop.whole_file import write_whole
from hotloop.workloads.shogi.ending import NOBODY, EndReason
from hotloop.workloads.shogi.engine import INITIAL_SFEN, records
from hotloop.workloads.shogi.game import Game
from hotloop.workloads.shogi.packed_moves import packed_from_usi, usi_from_packed
from hotloop.workloads.shogi.shogi_error import ShogiError
from hotloop.workloads.shogi.squares import BLACK

# Names of the engine: the kind of the last line, and the result where Black wins, where White wins and for nobody.
_ENDS = {
    EndReason.CHECKMATE: ("MATE", "BLACK_WIN", "WHITE_WIN", ""),
    EndReason.NO_LEGAL_MOVES: ("RESIGN", "BLACK_WIN", "WHITE_WIN", ""),
    EndReason.FOURFOLD_REPETITION: ("REPETITION_DRAW", "", "", "DRAW_BY_REPETITION"),
    EndReason.PERPETUAL_CHECK: ("WIN_BY_ILLEGAL_MOVE", "BLACK_WIN_BY_ILLEGAL_MOVE", "WHITE_WIN_BY_ILLEGAL_MOVE", ""),
    EndReason.DECLARATION: ("WIN_BY_DECLARATION", "BLACK_WIN_BY_DECLARATION", "WHITE_WIN_BY_DECLARATION", ""),
    EndReason.MAX_PLIES: ("MAX_MOVES", "", "", "DRAW_BY_MAX_PLIES"),
    EndReason.ONGOING: ("INTERRUPT", "", "", "PAUSED"),
}

_ENCODINGS = {".kif": "cp932", ".kifu": "utf-8"}


@dataclass(frozen=True, kw_only=True)
class GameRecord:
    """A game from `start_sfen`: `moves` in USI, why it ended, and who won (0 Black, 1 White, -1 nobody)."""

    start_sfen: str = INITIAL_SFEN
    moves: tuple[str, ...] = ()
    reason: EndReason = EndReason.ONGOING
    winner: int = NOBODY
    black: str = ""
    white: str = ""

    def usi(self) -> str:
        """The line that sets up this game at a USI engine: position sfen ... moves ..."""
        moves = f" moves {' '.join(self.moves)}" if self.moves else ""
        return f"position sfen {self.start_sfen}{moves}"

    def kif(self) -> str:
        """The game as KIF. Raises ShogiError where a move is not legal."""
        library = records()
        kind, *results = _ENDS[self.reason]
        result = library.GameResult.from_str(results[NOBODY if self.winner == NOBODY else self.winner - BLACK])
        try:
            record = library.Record.from_main_line(
                self.start_sfen,
                [library.MoveEntry(move) for move in self.moves],
                terminal=library.SpecialMoveEntry(kind, result),
                metadata=library.RecordMetadata(black_player=self.black or None, white_player=self.white or None),
            )
            return record.to_kif()
        except ValueError as error:
            raise ShogiError(f"{self.usi()!r} cannot be written as KIF ({error}): check its moves") from error

    def write_kif(self, path: Path) -> None:
        """Write a KIF file, whole or not at all: *.kif in Shift JIS, *.kifu in UTF-8, as programs of shogi expect.

        Raises ShogiError as `kif` does, for other names of files, and for names of players that Shift JIS lacks.
        """
        encoding = _ENCODINGS.get(path.suffix)
        if encoding is None:
            raise ShogiError(f"got {path.name!r} for a game; name it *.kif (Shift JIS) or *.kifu (UTF-8)")
        try:
            content = self.kif().encode(encoding)
        except UnicodeEncodeError as error:
            lost = error.object[error.start : error.end]
            raise ShogiError(f"{lost!r} cannot be written in Shift JIS; name the file *.kifu") from error
        write_whole(path, content)

    def game(self) -> Game:
        """The game with all its moves played. Raises IllegalAction at the first that is not legal."""
        return Game(self.start_sfen, map(packed_from_usi, self.moves))


def record_of(game: Game, *, reason: EndReason = EndReason.ONGOING, winner: int = NOBODY) -> GameRecord:
    """The record of a game as far as it has been played."""
    return GameRecord(
        start_sfen=game.start_sfen, moves=tuple(map(usi_from_packed, game.moves)), reason=reason, winner=winner
    )


def record_from_usi(line: str) -> GameRecord:
    """The record of `[position] startpos|sfen SFEN [moves ...]`. Raises ShogiError for a line that is not so."""
    before, _, moves = line.strip().removeprefix("position ").partition(" moves ")
    words = before.split()
    if words == ["startpos"]:
        return GameRecord(moves=tuple(moves.split()))
    if len(words) == 5 and words[0] == "sfen":
        return GameRecord(start_sfen=" ".join(words[1:]), moves=tuple(moves.split()))
    raise ShogiError(f"{line!r} is no position in USI; write 'position startpos moves 7g7f' or 'position sfen SFEN'")
