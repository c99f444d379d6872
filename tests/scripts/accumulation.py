"""Gradient accumulation over four microbatches, clip_grad_norm_ and a learning-rate scheduler."""

import argparse

import torch
from sklearn.datasets import load_digits
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=400)
parser.add_argument("--accumulate", type=int, default=4)
parser.add_argument("--batch-size", type=int, default=32)
args = parser.parse_args()

torch.manual_seed(0)
digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
labels = torch.tensor(digits.target)

model = nn.Sequential(
    nn.Conv2d(1, 32, 3, padding=1),
    nn.ReLU(),
    nn.Conv2d(32, 64, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(64 * 16, 256),
    nn.ReLU(),
    nn.Linear(256, 10),
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2e-3, total_steps=args.steps)

running = 0.0
for micro in range(1, args.steps * args.accumulate + 1):
    rows = torch.randint(len(images), (args.batch_size,))
    loss = criterion(model(images[rows]), labels[rows]) / args.accumulate
    loss.backward()
    running += loss.item()
    if micro % args.accumulate == 0:
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad(set_to_none=True)
        step = micro // args.accumulate
        if step % 20 == 0:
            print(f"step {step} loss {running / 20:.4f} norm {norm:.3f} lr {scheduler.get_last_lr()[0]:.2e}")
            running = 0.0
print("done")
