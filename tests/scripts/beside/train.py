"""A script that imports modules beside it and reads a data file by relative path (run it in its own folder)."""

import argparse

import torch
from data import batch, read
from net import WordGRU
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=400)
parser.add_argument("--data", default="data/words.txt")
args = parser.parse_args()

torch.manual_seed(0)
ids, num_words = read(args.data)
model = WordGRU(num_words)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

for step in range(1, args.steps + 1):
    inputs, targets = batch(ids, size=32, length=24)
    loss = nn.functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    if step % 20 == 0:
        print(f"step {step} loss {loss.item():.4f}")
print("done")
