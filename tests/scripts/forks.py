"""Forks a child that sleeps, and leaves it behind."""

import argparse
import os
import time

import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=400)
parser.add_argument("--sleep", type=float, default=600.0, help="seconds that the child sleeps")
args = parser.parse_args()

child = os.fork()
if child == 0:
    time.sleep(args.sleep)
    os._exit(0)
print(f"child {child}", flush=True)

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(128, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 1))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

for step in range(1, args.steps + 1):
    inputs = torch.randn(256, 128)
    loss = nn.functional.mse_loss(model(inputs), inputs[:, :8].mean(1, keepdim=True))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0:
        print(f"step {step} loss {loss.item():.4f}", flush=True)
print("done")
