"""Prints 100 kB a step to stdout and to stderr: more than a pipe holds."""

import argparse
import sys

import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=400)
parser.add_argument("--lines", type=int, default=1000, help="lines of 100 characters a step, on each stream")
args = parser.parse_args()

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(128, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 1))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

for step in range(1, args.steps + 1):
    inputs = torch.randn(256, 128)
    loss = nn.functional.mse_loss(model(inputs), inputs[:, :8].mean(1, keepdim=True))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    for i in range(args.lines):
        print(f"step {step} loss {loss.item():.4f} line {i} ".ljust(99, "."))
        print(f"warning: step {step} line {i} ".ljust(99, "."), file=sys.stderr)
print("done")
