"""Episodes that ended in rollouts: their returns and lengths, and in games of two who won."""

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hotloop.train.ranks import Ranks

# N environments


class EpisodeLog:
    """Returns and lengths of the last `window` episodes; everything lives on the CPU, where rewards come from.

    In a game of two the return is that of the side that began, so its sign tells who won.
    """

    def __init__(self, num_envs: int, *, alternates: bool, window: int = 100) -> None:
        self.returns: deque[float] = deque(maxlen=window)
        self.lengths: deque[int] = deque(maxlen=window)
        self.num_ended = 0
        self._alternates = alternates
        self._returns_N = np.zeros(num_envs, dtype=np.float64)
        self._lengths_N = np.zeros(num_envs, dtype=np.int64)

    @property
    def plies_N(self) -> Tensor:
        """Steps of the episode under way in each environment, int64 (N,)."""
        return torch.from_numpy(self._lengths_N)

    def add(self, rewards_N: Tensor, done_N: Tensor) -> None:
        """Take in one step."""
        rewards, done = rewards_N.numpy(), done_N.numpy()
        if self._alternates:
            rewards = np.where(self._lengths_N % 2 == 0, rewards, -rewards)
        self._returns_N += rewards
        self._lengths_N += 1
        if done.any():
            self.returns.extend(self._returns_N[done].tolist())
            self.lengths.extend(self._lengths_N[done].tolist())
            self.num_ended += int(done.sum())
            self._returns_N[done] = 0.0
            self._lengths_N[done] = 0

    def figures(self, ranks: Ranks | None = None, *, device: torch.device | str = "cpu") -> dict[str, float]:
        """Means over the last episodes of all ranks, and in a game of two the shares of wins; empty before one ended.

        On `device` ranks exchange them.
        """
        ranks, values = ranks or Ranks(), self.returns
        won, lost = sum(value > 0 for value in values), sum(value < 0 for value in values)
        own = [len(values), self.num_ended, sum(self.lengths), sum(values), won, lost]
        if ranks.size > 1:
            own = ranks.sum(torch.tensor(own, dtype=torch.float64, device=device)).tolist()
        count, ended, length, total, won, lost = own
        if not count:
            return {}
        means = {"episode_length": length / count, "episodes": float(ended)}
        if not self._alternates:
            return {"episode_return": total / count, **means}
        return {
            **means,
            "first_side_wins": won / count,
            "second_side_wins": lost / count,
            "draws": (count - won - lost) / count,
        }

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Everything, in JSON types and tensors; for `restore_state`."""
        data = {"returns": list(self.returns), "lengths": list(self.lengths), "num_ended": self.num_ended}
        return data, {"returns": torch.from_numpy(self._returns_N), "lengths": torch.from_numpy(self._lengths_N)}

    def restore_state(self, data: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        self.returns.extend(data["returns"])
        self.lengths.extend(data["lengths"])
        self.num_ended = data["num_ended"]
        self._returns_N[...] = tensors["returns"].numpy()
        self._lengths_N[...] = tensors["lengths"].numpy()
