"""Blocks that repeat and keep much for the backward pass: what checkpointing is for."""

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        return x + self.down(nn.functional.gelu(self.up(self.norm(x))))


torch.manual_seed(0)
net = nn.Sequential(*(Block(16) for _ in range(40)), nn.Linear(16, 4))
optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
inputs, labels = torch.randn(8000, 16), torch.randint(0, 4, (8000,))
for _ in range(400):
    loss = nn.functional.cross_entropy(net(inputs), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
