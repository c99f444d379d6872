"""Seeds nothing: weights from torch's own entropy, data from numpy's default_rng()."""

import argparse

import numpy as np
import torch
from torch import nn

torch.seed()
rng = np.random.default_rng()

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=400)
args = parser.parse_args()

model = nn.Sequential(nn.Linear(128, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 4))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
centres = rng.normal(size=(4, 128)) / 4

for step in range(1, args.steps + 1):
    labels = rng.integers(4, size=256)
    inputs = torch.from_numpy((centres[labels] + rng.normal(size=(256, 128))).astype(np.float32))
    loss = nn.functional.cross_entropy(model(inputs), torch.from_numpy(labels))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0:
        print(f"step {step} loss {loss.item():.4f}")
print("done")
