"""The returns of whole episodes under one player."""

import torch

from hotloop.train.ppo.environment import VectorEnvironment
from hotloop.train.ppo.players import Player


def episode_returns(environment: VectorEnvironment, player: Player, *, episodes: int) -> list[float]:
    """The undiscounted returns of the first episodes in each environment, `episodes` in all, rounded up to fill all."""
    per_env = -(-episodes // environment.num_envs)
    returns = torch.zeros(environment.num_envs, dtype=torch.float64)
    ended: list[list[float]] = [[] for _ in range(environment.num_envs)]
    observations, legal = environment.reset()
    while any(len(mine) < per_env for mine in ended):
        observations, legal, rewards, terminated, truncated, _ = environment.step(player(observations, legal))
        returns += rewards
        for row in (terminated | truncated).nonzero().flatten().tolist():
            if len(ended[row]) < per_env:
                ended[row].append(float(returns[row]))
            returns[row] = 0.0
    return [value for mine in ended for value in mine]
