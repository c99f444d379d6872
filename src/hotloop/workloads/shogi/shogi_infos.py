"""What a step of many games tells besides."""

from typing import TypedDict

from torch import Tensor

from hotloop.workloads.shogi.game_record import GameRecord


class ShogiInfos(TypedDict):
    """What a step tells besides; tensors on the CPU, of N rows, one a game.

    `terminal_observations` (N, C, 9, 9), float32: the last positions of games that have just ended, before the next
    game began, as the side sees them that would be to move (`terminal_side_to_move`); other rows mean nothing, and
    the next step writes over them.
    `movers`: who moved; `side_to_move`: whose view the returned observation is; 0 Black, 1 White, int8.
    `material`: what the move has won, in pawns: captures and promotions, `balance`: by how much the mover led before
    it, float32. `reasons`: EndReason, int8;
    `winners`: 0 Black, 1 White, -1 nobody, int8; `plies`: moves of the game, this one included, int64; `replies`: legal
    moves that the other side has, int64. `games`: the
    records of the games that have just ended, by row.
    """

    terminal_observations: Tensor
    terminal_side_to_move: Tensor
    movers: Tensor
    side_to_move: Tensor
    material: Tensor
    balance: Tensor
    reasons: Tensor
    winners: Tensor
    plies: Tensor
    replies: Tensor
    games: dict[int, GameRecord]
