"""The rollout buffer: everything PPO keeps of the steps it learns from, made once, on the device."""

import torch
from torch import Tensor

from hotloop.errors import WorkloadError
from hotloop.train.ppo.advantages import gae, next_values, normalized
from hotloop.train.ppo.environment import ContinuousActions, VectorEnvironment
from hotloop.train.ppo.legal_lists import LegalLists
from hotloop.train.ppo.outcomes import UNKNOWN, outcomes
from hotloop.train.ranks import Ranks
from hotloop.train.strategies.ppo import PPOBatch

# T steps, N environments, B samples of a batch, A actions


class RolloutBuffer:
    """T steps of N environments. Steps are added in order; `finish` makes advantages and returns, `clear` empties it.

    With `learns_outcomes` batches hold how games ended, too, and scores where `end` is given any.
    Raises WorkloadError for a step too many, and for batches that are taken before `finish`.
    """

    def __init__(self, num_steps: int, environment: VectorEnvironment, *, device: torch.device, masks: bool) -> None:
        num_envs, actions = environment.num_envs, environment.actions
        shape = (num_steps, num_envs)
        is_continuous = isinstance(actions, ContinuousActions)
        self.observations = torch.empty((*shape, *environment.observation_shape), device=device)
        self.actions = (
            torch.empty((*shape, actions.size), device=device)
            if is_continuous
            else torch.empty(shape, dtype=torch.int64, device=device)
        )
        self.legal = (
            None
            if not masks or isinstance(actions, ContinuousActions)
            else LegalLists(num_steps, num_envs, actions.num_actions, device=device)
        )
        self.log_probs, self.values, self.rewards, self.final_values = torch.zeros((4, *shape), device=device)
        self.own = torch.ones(shape, dtype=torch.bool, device=device)
        self.terminated, self.truncated = torch.zeros((2, *shape), dtype=torch.bool, device=device)
        self.advantages, self.returns = torch.zeros((2, *shape), device=device)
        self.results, self.scores = torch.zeros((2, *shape), device=device)
        self.outcomes = torch.full(shape, UNKNOWN, device=device)
        self.has_opponents, self.learns_outcomes, self.has_scores = False, False, False
        self.capacity, self.size, self._is_finished = num_steps, 0, False

    def begin(self, observations: Tensor, legal: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Keep what the next action is chosen from, `legal` as a mask on the CPU.

        The rows of the buffer that hold it come back, on the device, with legal actions as lists. Raises ValueError for
        positions without a legal action.
        """
        if self.size == self.capacity:
            raise WorkloadError(f"the buffer holds {self.capacity} steps and is full; clear it before the next rollout")
        self.observations[self.size].copy_(observations, non_blocking=True)
        if self.legal is None or legal is None:
            return self.observations[self.size], None
        return self.observations[self.size], self.legal.put(self.size, legal)

    def add(self, actions: Tensor, log_probs: Tensor, values: Tensor) -> None:
        """Keep what was chosen."""
        self.actions[self.size].copy_(actions)
        self.log_probs[self.size].copy_(log_probs)
        self.values[self.size].copy_(values)

    def end(
        self,
        rewards: Tensor,
        terminated: Tensor,
        truncated: Tensor,
        *,
        results: Tensor | None = None,
        scores: Tensor | None = None,
    ) -> None:
        """Keep what came of it; the step is complete.

        `results` are those of games that end here, where they are not the rewards; `scores` are of what was acted in.
        """
        if self.learns_outcomes:
            self.results[self.size].copy_(rewards if results is None else results, non_blocking=True)
            if scores is not None:
                self.scores[self.size].copy_(scores, non_blocking=True)
                self.has_scores = True
        self.rewards[self.size].copy_(rewards, non_blocking=True)
        self.terminated[self.size].copy_(terminated, non_blocking=True)
        self.truncated[self.size].copy_(truncated, non_blocking=True)
        self.size += 1

    def finish(
        self,
        last_values: Tensor,
        *,
        gamma: float,
        lam: float,
        sign: float,
        normalize: bool,
        ranks: Ranks | None = None,
    ) -> None:
        """Make advantages, normalized over all samples of all ranks where asked, and returns.

        `last_values` (N,) are those of the observations after the last step.
        """
        following = next_values(
            self.values[: self.size],
            last_values,
            terminated_TN=self.terminated[: self.size],
            truncated_TN=self.truncated[: self.size],
            final_values_TN=self.final_values[: self.size],
        )
        done = self.terminated[: self.size] | self.truncated[: self.size]
        values = self.values[: self.size]
        advantages = gae(self.rewards[: self.size], values, following, done, gamma=gamma, lam=lam, sign=sign)
        self.returns[: self.size] = advantages + values
        self.advantages[: self.size] = advantages
        if self.learns_outcomes:
            ended, cut = self.terminated[: self.size], self.truncated[: self.size]
            self.outcomes[: self.size] = outcomes(self.results[: self.size], ended, cut, sign=sign)
        if normalize:
            own = self.own[: self.size]
            self.advantages[: self.size][own] = normalized(advantages[own], ranks)
        self._is_finished = True

    def batch(self, chosen_B: Tensor) -> PPOBatch:
        """The samples at these places of the flat buffer (step * N + environment)."""
        if not self._is_finished:
            raise WorkloadError(
                "the advantages of this rollout were not made yet; call finish before batches are taken"
            )
        return PPOBatch(
            _rows(self.observations, chosen_B),
            _rows(self.actions, chosen_B),
            None if self.legal is None else _rows(self.legal.rows, chosen_B),
            _rows(self.log_probs, chosen_B),
            _rows(self.values, chosen_B),
            _rows(self.advantages, chosen_B),
            _rows(self.returns, chosen_B),
            _rows(self.own, chosen_B) if self.has_opponents else None,
            _rows(self.outcomes, chosen_B) if self.learns_outcomes else None,
            _rows(self.scores, chosen_B) if self.has_scores else None,
        )

    @property
    def num_samples(self) -> int:
        """How many samples batches can be taken from."""
        return self.size * self.values.shape[1]

    def clear(self) -> None:
        """Start again from nothing; the memory stays."""
        self.size, self._is_finished = 0, False
        self.final_values.zero_()


def _rows(values: Tensor, chosen_B: Tensor) -> Tensor:
    return values.flatten(0, 1).index_select(0, chosen_B)
