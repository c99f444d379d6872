"""PPO on CartPole in one file, as people write it."""

import gymnasium as gym
import numpy as np
import torch
from torch import nn
from torch.distributions import Categorical

torch.manual_seed(0)
NUM_ENVS, NUM_STEPS, BATCH, PASSES = 8, 64, 64, 8
GAMMA, LAM, CLIP = 0.99, 0.95, 0.2
envs = gym.vector.SyncVectorEnv([lambda: gym.make("CartPole-v1") for _ in range(NUM_ENVS)])


class Agent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.critic = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
        self.actor = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 2))

    def forward(self, observations: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.actor(observations), self.critic(observations).squeeze(-1)


agent = Agent()
optimizer = torch.optim.Adam(agent.parameters(), lr=3e-4, eps=1e-5)
observation = torch.tensor(envs.reset(seed=0)[0])
done = torch.zeros(NUM_ENVS)

for update in range(10_000):
    kept: list[tuple[torch.Tensor, ...]] = []
    for _ in range(NUM_STEPS):
        with torch.no_grad():
            logits, value = agent(observation)
            action = Categorical(logits=logits).sample()
            log_prob = Categorical(logits=logits).log_prob(action)
        following, reward, terminated, truncated, _ = envs.step(action.numpy())
        kept.append((observation, action, log_prob, value, torch.tensor(reward, dtype=torch.float32), done))
        observation, done = torch.tensor(following), torch.tensor(np.logical_or(terminated, truncated).astype("f4"))
    observations, actions, log_probs, values, rewards, dones = (
        torch.stack(column) for column in zip(*kept, strict=True)
    )
    with torch.no_grad():
        next_value = agent(observation)[1]
        advantages = torch.zeros_like(rewards)
        last = torch.zeros(NUM_ENVS)
        for step in reversed(range(NUM_STEPS)):
            ended = done if step == NUM_STEPS - 1 else dones[step + 1]
            after = next_value if step == NUM_STEPS - 1 else values[step + 1]
            delta = rewards[step] + GAMMA * after * (1 - ended) - values[step]
            advantages[step] = last = delta + GAMMA * LAM * (1 - ended) * last
        returns = advantages + values
    flat = [column.flatten(0, 1) for column in (observations, actions, log_probs, advantages, returns)]
    for _ in range(PASSES):
        for rows in torch.randperm(NUM_ENVS * NUM_STEPS).split(BATCH):
            seen, taken, old, advantage, target = (column[rows] for column in flat)
            logits, value = agent(seen)
            distribution = Categorical(logits=logits)
            ratio = (distribution.log_prob(taken) - old).exp()
            advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
            policy_loss = -torch.min(ratio * advantage, ratio.clamp(1 - CLIP, 1 + CLIP) * advantage).mean()
            loss = policy_loss + 0.5 * (value - target).square().mean() - 0.01 * distribution.entropy().mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
            optimizer.step()
    print(f"update {update}: {loss.item():.3f}")
