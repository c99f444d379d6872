"""Games come back with every move and position."""

import pytest
import torch

from hotloop.workloads.shogi import IllegalAction, ShogiError
from hotloop.workloads.shogi.game import Game
from hotloop.workloads.shogi.game_record import record_from_usi
from hotloop.workloads.shogi.saved_games import load_games, save_games

KINGS = "4k4/9/9/9/9/9/9/9/4K4 w - 90"


def some_games() -> list[Game]:
    lines = ["startpos", f"sfen {KINGS} moves 5a5b 5i5h", "startpos moves 2h3h 8b7b 3h2h 7b8b"]
    return [record_from_usi(line).game() for line in lines]


def test_what_is_saved_is_loaded():
    loaded = load_games(save_games(some_games()))
    for game, other in zip(some_games(), loaded, strict=True):
        assert (game.sfen(), game.moves, game.start_sfen) == (other.sfen(), other.moves, other.start_sfen)
        assert game.history.occurrences == other.history.occurrences


def test_moves_that_are_missing_are_noticed():
    saved = save_games(some_games())
    saved["moves"] = saved["moves"][:-1]
    with pytest.raises(ShogiError, match="3 starts, 3 games of 6 moves, 5 moves; load another checkpoint"):
        load_games(saved)


def test_moves_that_are_not_legal_are_noticed():
    saved = save_games(some_games())
    saved["moves"] = torch.full_like(saved["moves"], 1)
    with pytest.raises(IllegalAction, match="is not legal in"):
        load_games(saved)
