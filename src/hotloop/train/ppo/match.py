"""A match: two players, many games side by side, each player first in half of them."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hotloop.train.ppo.environment import VectorEnvironment
from hotloop.train.ppo.players import Player


@dataclass(frozen=True, kw_only=True)
class MatchGame:
    """One game: the names of both sides, the score of the player (1, 0.5 or 0), and the environment's own record."""

    first: str
    second: str
    player_is_first: bool
    score: float
    record: Any = None


@dataclass(frozen=True, kw_only=True)
class Match:
    """The games of `player` against `opponent`, in the order in which they ended."""

    player: str
    opponent: str
    games: tuple[MatchGame, ...]

    def score(self, *, first: bool | None = None) -> float:
        """The player's mean score, in all games or in those where it was first or second."""
        scores = [game.score for game in self.games if first is None or game.player_is_first is first]
        return sum(scores) / len(scores)

    def share(self, score: float) -> float:
        """The share of games with that score: 1 for wins, 0.5 for draws, 0 for losses."""
        return sum(game.score == score for game in self.games) / len(self.games)


def play_match(environment: VectorEnvironment, player: Player, opponent: Player, *, games: int) -> Match:
    """`games` games, as many in each environment; the player is first in half of the environments.

    Raises ValueError where the games cannot be shared out so, or the environment is no game of two.
    """
    slots = environment.num_envs
    if not environment.alternates or slots % 2 or games % slots:
        raise ValueError(
            f"got {games} games in {slots} environments, of two sides: {environment.alternates}; a match needs games "
            "of two, an even number of environments, and a multiple of it as games"
        )
    is_first = torch.arange(slots) < slots // 2
    plies, left = torch.zeros(slots, dtype=torch.int64), torch.full((slots,), games // slots)
    ended: list[MatchGame] = []
    observations, legal = environment.reset()
    while bool((left > 0).any()):
        is_players = (plies % 2 == 0) == is_first
        actions = _actions(player, opponent, is_players, observations, legal)
        observations, legal, rewards, terminated, truncated, infos = environment.step(actions)
        done = terminated | truncated
        for row in (done & (left > 0)).nonzero().flatten().tolist():
            gain = float(infos.get("outcomes", rewards)[row]) * (1.0 if is_players[row] else -1.0)
            names = (player.name, opponent.name) if is_first[row] else (opponent.name, player.name)
            ended.append(
                MatchGame(
                    first=names[0],
                    second=names[1],
                    player_is_first=bool(is_first[row]),
                    score=(1.0 + gain) / 2.0,
                    record=infos.get("games", {}).get(row),
                )
            )
        left -= done.long()
        plies = (plies + 1).masked_fill(done, 0)
    return Match(player=player.name, opponent=opponent.name, games=tuple(ended))


def _actions(
    player: Player, opponent: Player, is_players: Tensor, observations: Tensor, legal: Tensor | None
) -> Tensor:
    actions = torch.zeros(len(is_players), dtype=torch.int64)
    for who, moves in ((player, is_players), (opponent, ~is_players)):
        rows = moves.nonzero().flatten()
        if len(rows):
            actions[rows] = who(observations[rows], None if legal is None else legal[rows])
    return actions
