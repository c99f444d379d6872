"""programs/rl.py as a recipe: the same policy, rollouts, minibatches and optimizer; an epoch is one rollout."""

from collections.abc import Iterator
from dataclasses import dataclass

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Categorical

from hotloop.workload import Job, Loss

NUM_ENVS, NUM_STEPS, BATCH, PASSES = 8, 64, 64, 8
GAMMA, LAM, CLIP = 0.99, 0.95, 0.2


class Agent(nn.Module):
    """Logits of two actions and the value of each observation."""

    def __init__(self) -> None:
        super().__init__()
        self.critic, self.actor = (
            nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, outputs))
            for outputs in (1, 2)
        )

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        return self.actor(observations), self.critic(observations).squeeze(-1)


class Rollouts:
    """Minibatches of eight passes over a new rollout, in each iteration: what the policy saw, did and should think."""

    def __init__(self, agent: Agent, seed: int) -> None:
        self.agent = agent
        self.envs = gym.vector.SyncVectorEnv([lambda: gym.make("CartPole-v1") for _ in range(NUM_ENVS)])
        self.observation = torch.tensor(self.envs.reset(seed=seed)[0])
        self.done = torch.zeros(NUM_ENVS)

    def __iter__(self) -> Iterator[list[Tensor]]:
        columns = self.rollout()
        for _ in range(PASSES):
            for rows in torch.randperm(NUM_ENVS * NUM_STEPS).split(BATCH):
                yield [column[rows] for column in columns]

    @torch.no_grad()
    def rollout(self) -> list[Tensor]:
        """Observations, actions, their log probabilities, advantages and returns of `NUM_STEPS` steps."""
        kept: list[tuple[Tensor, ...]] = []
        for _ in range(NUM_STEPS):
            logits, value = self.agent(self.observation)
            distribution = Categorical(logits=logits)
            action = distribution.sample()
            following, reward, terminated, truncated, _ = self.envs.step(action.numpy())
            earned = torch.tensor(reward, dtype=torch.float32)
            kept.append((self.observation, action, distribution.log_prob(action), value, earned, self.done))
            self.observation = torch.tensor(following)
            self.done = torch.tensor(np.logical_or(terminated, truncated).astype("f4"))
        observations, actions, log_probs, values, rewards, dones = map(torch.stack, zip(*kept, strict=True))
        advantages, last = torch.zeros_like(rewards), torch.zeros(NUM_ENVS)
        ended, after = self.done, self.agent(self.observation)[1]
        for step in reversed(range(NUM_STEPS)):
            delta = rewards[step] + GAMMA * after * (1 - ended) - values[step]
            advantages[step] = last = delta + GAMMA * LAM * (1 - ended) * last
            ended, after = dones[step], values[step]
        columns = (observations, actions, log_probs, advantages, advantages + values)
        return [column.flatten(0, 1) for column in columns]


@dataclass(frozen=True)
class ClippedObjective:
    """The clipped surrogate of PPO with half the squared error of the value and a hundredth of the entropy."""

    def loss(self, model: nn.Module, batch: list[Tensor]) -> Loss:
        seen, taken, old, advantage, target = batch
        logits, value = model(seen)
        distribution = Categorical(logits=logits)
        ratio = (distribution.log_prob(taken) - old).exp()
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        policy = -torch.min(ratio * advantage, ratio.clamp(1 - CLIP, 1 + CLIP) * advantage).mean()
        value_error = 0.5 * (value - target).square().mean()
        return Loss(policy + value_error - 0.01 * distribution.entropy().mean(), len(seen))


def build(seed: int = 0) -> Job:
    """PPO on eight CartPoles, Adam, gradients clipped at 0.5. Rollouts are made between steps, as batches are."""
    torch.manual_seed(seed)
    agent = Agent()
    optimizer = torch.optim.Adam(agent.parameters(), lr=3e-4, eps=1e-5)
    batches = Rollouts(agent, seed)
    return Job(model=agent, optimizer=optimizer, batches=batches, strategy=ClippedObjective(), clip_norm=0.5)
