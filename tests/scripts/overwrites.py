"""Opens an existing results.txt for writing; --absolute writes elsewhere, --delete removes a file."""

import argparse
import os

import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=400)
parser.add_argument("--every", type=int, default=5, help="steps between two writes")
parser.add_argument("--absolute", metavar="PATH", help="write to PATH in place of results.txt")
parser.add_argument("--delete", metavar="PATH", help="remove PATH before the first write")
args = parser.parse_args()

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(128, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 1))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
results = args.absolute or "results.txt"

for step in range(1, args.steps + 1):
    inputs = torch.randn(256, 128)
    loss = nn.functional.mse_loss(model(inputs), inputs[:, :8].mean(1, keepdim=True))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % args.every == 0:
        if args.delete and os.path.exists(args.delete):
            os.remove(args.delete)
        with open(results, "w") as file:
            file.write(f"step {step} loss {loss.item():.4f}\n")
        print(f"step {step} loss {loss.item():.4f}")
print("done")
