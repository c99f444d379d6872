"""A small network under torch.compile or not; prints the last loss and what inductor's cache answered."""

import sys

import torch
from torch import nn
from torch._dynamo.utils import counters

torch.manual_seed(0)
width = int(sys.argv[1]) if sys.argv[1:] else 32
model = nn.Sequential(nn.Linear(16, width), nn.Tanh(), nn.Linear(width, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x = torch.randn(8, 16)
for _ in range(10):
    loss = model(x).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
cache = counters["inductor"]
print(f"{loss.item():.9f} {cache['fxgraph_cache_hit']} {cache['fxgraph_cache_miss']}")
