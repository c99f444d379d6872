"""DQN on a made-up environment: one update by call of a method, and a target network that follows slowly."""

import random
from collections import deque

import torch
import torch.nn.functional as F
from torch import nn


class QNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))

    def forward(self, x):
        return self.layers(x)


class Agent:
    def __init__(self, gamma=0.99, tau=0.005, batch_size=64):
        self.policy, self.target = QNetwork(), QNetwork()
        self.target.load_state_dict(self.policy.state_dict())
        self.optimizer = torch.optim.AdamW(self.policy.parameters(), lr=1e-3, amsgrad=True)
        self.memory = deque(maxlen=1000)
        self.gamma, self.tau, self.batch_size = gamma, tau, batch_size
        self.updates = 0

    def act(self, state, epsilon):
        if random.random() < epsilon:
            return random.randrange(2)
        with torch.no_grad():
            return self.policy(state.unsqueeze(0)).argmax(dim=1).item()

    def learn(self):
        if len(self.memory) < self.batch_size:
            return None
        sample = random.sample(self.memory, self.batch_size)
        states, actions, rewards, next_states, dones = zip(*sample)
        states, next_states = torch.stack(states), torch.stack(next_states)
        actions, rewards = torch.tensor(actions), torch.tensor(rewards)
        dones = torch.tensor(dones, dtype=torch.float32)
        with torch.no_grad():
            best = self.target(next_states).max(dim=1).values
            wanted = rewards + self.gamma * best * (1 - dones)
        chosen = self.policy(states).gather(1, actions.unsqueeze(1)).squeeze(1)
        loss = F.smooth_l1_loss(chosen, wanted)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_value_(self.policy.parameters(), 100)
        self.optimizer.step()
        with torch.no_grad():
            for target, parameter in zip(self.target.parameters(), self.policy.parameters()):
                target.mul_(1 - self.tau).add_(parameter, alpha=self.tau)
        self.updates += 1
        return loss.item()


random.seed(9)
torch.manual_seed(9)
agent = Agent()
state = torch.randn(4)
losses = []
for step in range(200):
    action = agent.act(state, epsilon=max(0.05, 1 - step / 100))
    following = 0.9 * state + 0.1 * torch.randn(4) + (action - 0.5) * 0.2
    reward = float(-following.abs().sum())
    agent.memory.append((state, action, reward, following, step % 50 == 49))
    state = following
    loss = agent.learn()
    if loss is not None:
        losses.append(loss)
print(f"{agent.updates} updates, mean loss {sum(losses) / len(losses):.4f}")
