"""Records say what was played and how it ended, in words that the library reads back."""

import numpy as np
import pytest
from rsshogi.record import Record

from hotloop.workloads.shogi import EndReason, GameRecord, IllegalAction, ShogiError, record_from_usi
from hotloop.workloads.shogi.engine import INITIAL_SFEN
from hotloop.workloads.shogi.game import Game
from hotloop.workloads.shogi.game_record import record_of

KINGS = "4k4/9/9/9/9/9/9/9/4K4 w - 90"
MOVES = ("7g7f", "3c3d", "2g2f")
ENDS = [
    (EndReason.CHECKMATE, 0, 3, "詰み", "まで3手で詰み"),
    (EndReason.CHECKMATE, 1, 2, "詰み", "まで2手で詰み"),
    (EndReason.NO_LEGAL_MOVES, 0, 3, "投了", "まで3手で先手の勝ち"),
    (EndReason.FOURFOLD_REPETITION, -1, 2, "千日手", "まで2手で千日手"),
    (EndReason.PERPETUAL_CHECK, 0, 2, "反則勝ち", "まで2手で先手の反則勝ち"),
    (EndReason.PERPETUAL_CHECK, 1, 2, "反則負け", "まで2手で後手の反則勝ち"),
    (EndReason.DECLARATION, 0, 2, "入玉勝ち", "まで2手で先手の入玉勝ち"),
    (EndReason.DECLARATION, 1, 3, "入玉勝ち", "まで3手で後手の入玉勝ち"),
    (EndReason.MAX_PLIES, -1, 2, "最大手数", "まで2手で最大手数"),
    (EndReason.ONGOING, -1, 2, "中断", "まで2手で中断"),
]


@pytest.mark.parametrize(("reason", "winner", "num_moves", "word", "last_line"), ENDS)
def test_every_end_is_written_in_kif(reason, winner, num_moves, word, last_line):
    text = GameRecord(moves=MOVES[:num_moves], reason=reason, winner=winner).kif()
    assert word in text
    assert text.strip().splitlines()[-1] == last_line


def test_every_reason_has_its_words():
    assert {reason for reason, *_ in ENDS} == set(EndReason)


def test_a_winner_that_the_moves_cannot_have_is_refused():
    with pytest.raises(ShogiError, match="moves 7g7f' cannot be written as KIF"):
        GameRecord(moves=MOVES[:1], reason=EndReason.CHECKMATE, winner=1).kif()


@pytest.mark.parametrize("name", ["game.kif", "game.kifu"])
@pytest.mark.parametrize("start", [INITIAL_SFEN, KINGS])
def test_a_file_is_read_back_with_the_same_moves(start, name, tmp_path):
    generator, game = np.random.default_rng(1), Game(start)
    for _ in range(60):
        game.play(game.legal[int(generator.integers(0, len(game.legal)))])
    record = record_of(game)
    record.write_kif(tmp_path / name)
    read = Record.from_kif_file(str(tmp_path / name))
    assert tuple(entry.move.to_usi() for entry in read.moves) == record.moves
    # KIF does not keep the number of the first move
    assert read.init_position_sfen.rpartition(" ")[0] == start.rpartition(" ")[0]
    assert list(tmp_path.iterdir()) == [tmp_path / name]


def test_the_players_are_named():
    text = GameRecord(moves=("7g7f",), black="tower", white="random").kif()
    assert [line[3:] for line in text.splitlines() if line[:2] in {"先手", "後手"}] == ["tower", "random"]


def test_other_names_of_files_and_of_players_are_refused_with_what_to_do(tmp_path):
    with pytest.raises(ShogiError, match=r"got 'game.txt' for a game; name it \*.kif"):
        GameRecord().write_kif(tmp_path / "game.txt")
    with pytest.raises(ShogiError, match=r"cannot be written in Shift JIS; name the file \*.kifu"):
        GameRecord(black="\U0001f600").write_kif(tmp_path / "game.kif")
    assert list(tmp_path.iterdir()) == []


def test_an_illegal_move_is_written_to_no_file(tmp_path):
    with pytest.raises(ShogiError, match=r"moves 7g7f 7g7f' cannot be written as KIF .*: check its moves"):
        GameRecord(moves=("7g7f", "7g7f")).write_kif(tmp_path / "game.kif")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "record",
    [GameRecord(), GameRecord(moves=("7g7f", "3c3d")), GameRecord(start_sfen=KINGS, moves=("5a5b",))],
    ids=["no moves", "from the start", "from a position"],
)
def test_usi_is_written_and_read(record):
    assert record_from_usi(record.usi()) == record
    assert record_from_usi(record.usi().removeprefix("position ")) == record


def test_startpos_is_the_usual_start():
    assert record_from_usi("position startpos moves 7g7f").usi() == f"position sfen {INITIAL_SFEN} moves 7g7f"
    assert record_from_usi("position startpos") == GameRecord()


@pytest.mark.parametrize("line", ["", "position", "position sfen", "startpos 7g7f", f"position {INITIAL_SFEN}"])
def test_other_lines_are_refused_with_an_example(line):
    with pytest.raises(ShogiError, match="is no position in USI; write 'position startpos moves 7g7f'"):
        record_from_usi(line)


def test_a_record_becomes_a_game_with_its_history():
    game = record_from_usi("startpos moves 2h3h 8b7b 3h2h 7b8b").game()
    assert (game.history.occurrences, len(game.moves)) == (2, 4)
    with pytest.raises(IllegalAction, match="3c3d is not legal"):
        record_from_usi("startpos moves 3c3d").game()
