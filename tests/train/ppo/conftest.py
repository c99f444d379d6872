"""Small environments whose every step is known."""

import pytest
import torch

from hotloop.train.ppo.environment import DiscreteActions


class Counter:
    """Episode i of environment n lasts `lengths[n][i]` steps; every other one is truncated instead of terminated.

    The observation is (place in the episode, environment); the action is never used, `legal` columns are masked.
    """

    def __init__(self, lengths=((3, 5), (4,)), *, alternates=False, num_actions=4, legal=None, cuts=True):
        self.num_envs, self.observation_shape = len(lengths), (2,)
        self.actions, self.alternates = DiscreteActions(num_actions=num_actions), alternates
        self.lengths, self.legal, self.cuts = lengths, legal, cuts
        self.places, self.episodes = [0] * self.num_envs, [0] * self.num_envs
        self.taken = []

    def _now(self):
        observations = torch.tensor([[float(p), float(n)] for n, p in enumerate(self.places)])
        return observations, None if self.legal is None else self.legal.clone()

    def reset(self):
        return self._now()

    def step(self, actions):
        self.taken.append(actions.clone())
        terminated = torch.zeros(self.num_envs, dtype=torch.bool)
        truncated, final = terminated.clone(), torch.zeros(self.num_envs, 2)
        for n, lengths in enumerate(self.lengths):
            self.places[n] += 1
            if self.places[n] == lengths[self.episodes[n] % len(lengths)]:
                ends = truncated if self.cuts and self.episodes[n] % 2 else terminated
                ends[n] = True
                final[n] = torch.tensor([float(self.places[n]), float(n)])
                self.places[n], self.episodes[n] = 0, self.episodes[n] + 1
        rewards = torch.tensor([float(t) for t in terminated])
        return *self._now(), rewards, terminated, truncated, {"final_observations": final}

    def state(self):
        return {"places": list(self.places), "episodes": list(self.episodes)}, {}

    def restore_state(self, data, tensors):
        self.places, self.episodes = list(data["places"]), list(data["episodes"])
        return self._now()


@pytest.fixture
def counter():
    return Counter
