"""Games from the usual start, with random moves first."""

from collections.abc import Sequence

import numpy as np

from hotloop.workloads.shogi.ending import EndReason, EndRules
from hotloop.workloads.shogi.engine import INITIAL_SFEN
from hotloop.workloads.shogi.game import Game
from hotloop.workloads.shogi.positions import Positions


def opened_game(random_plies: int, generator: np.random.Generator, rules: EndRules) -> Game:
    """A new game after 0 to `random_plies` random moves, all numbers equally likely.

    Where the moves end the game, others are drawn, as many.
    """
    num_plies = int(generator.integers(0, random_plies + 1)) if random_plies else 0
    while True:
        game = Game(INITIAL_SFEN)
        for _ in range(num_plies):
            if game.legal:
                game.play(game.legal[int(generator.integers(0, len(game.legal)))])
        if num_plies == 0 or not games_over([game], rules):
            return game


def games_over(games: Sequence[Game], rules: EndRules) -> list[str]:
    """Those of the games that are over, by their positions and reasons, in words."""
    reasons = rules.judge(Positions(games)).reasons.tolist()
    return [
        f"{game.sfen()!r} ({EndReason(reason).name.lower()})"
        for game, reason in zip(games, reasons, strict=True)
        if reason
    ]
