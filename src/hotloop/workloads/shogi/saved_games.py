"""Games as tensors and text, and back: their starts and moves, from which all else follows."""

from collections.abc import Sequence
from typing import TypedDict

import torch
from torch import Tensor

from hotloop.workloads.shogi.game import Game
from hotloop.workloads.shogi.shogi_error import ShogiError


class SavedGames(TypedDict):
    """N games: `start_sfens`; packed `moves` of all games one after another, int32; `num_moves` (N,), int64."""

    start_sfens: list[str]
    moves: Tensor
    num_moves: Tensor


def save_games(games: Sequence[Game]) -> SavedGames:
    """The games as they stand."""
    return SavedGames(
        start_sfens=[game.start_sfen for game in games],
        moves=torch.tensor([move for game in games for move in game.moves], dtype=torch.int32),
        num_moves=torch.tensor([len(game.moves) for game in games]),
    )


def load_games(saved: SavedGames) -> list[Game]:
    """The games, every move played and checked again. Raises ShogiError where the parts do not fit each other."""
    starts, num_moves, moves = saved["start_sfens"], saved["num_moves"].tolist(), saved["moves"].tolist()
    if len(starts) != len(num_moves) or sum(num_moves) != len(moves) or min(num_moves, default=0) < 0:
        raise ShogiError(
            f"the saved games are damaged: {len(starts)} starts, {len(num_moves)} games of {sum(num_moves)} moves, "
            f"{len(moves)} moves; load another checkpoint"
        )
    rest = iter(moves)
    return [Game(start, [next(rest) for _ in range(count)]) for start, count in zip(starts, num_moves, strict=True)]
