"""LBFGS with a closure that it calls several times a step, on fresh batches."""

import argparse

import torch
from sklearn.datasets import load_digits
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=300)
parser.add_argument("--batch-size", type=int, default=512)
args = parser.parse_args()

torch.manual_seed(0)
digits = load_digits()
pixels = torch.tensor(digits.data, dtype=torch.float32) / 16
labels = torch.tensor(digits.target)

model = nn.Sequential(nn.Linear(64, 256), nn.Tanh(), nn.Linear(256, 256), nn.Tanh(), nn.Linear(256, 10))
optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=4, history_size=5, line_search_fn="strong_wolfe")

for step in range(1, args.steps + 1):
    rows = torch.randint(len(pixels), (args.batch_size,))

    def closure():
        optimizer.zero_grad()
        decay = sum((p**2).sum() for p in model.parameters())
        loss = nn.functional.cross_entropy(model(pixels[rows]), labels[rows]) + 1e-4 * decay
        loss.backward()
        return loss

    loss = optimizer.step(closure)
    if step % 10 == 0:
        print(f"step {step} loss {loss.item():.4f}")
print("done")
