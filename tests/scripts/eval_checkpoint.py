"""Evaluation every 20 steps; a checkpoint overwritten and a log appended, both by relative path."""

import argparse
import json
import os

import torch
from sklearn.datasets import load_digits
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=400)
parser.add_argument("--eval-every", type=int, default=20)
args = parser.parse_args()

torch.manual_seed(0)
digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
labels = torch.tensor(digits.target)
train_images, train_labels = images[:1400], labels[:1400]
test_images, test_labels = images[1400:], labels[1400:]

model = nn.Sequential(
    nn.Conv2d(1, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(),
    nn.Conv2d(64, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(),
    nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(256, 10),
)  # fmt: skip
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
os.makedirs("checkpoints", exist_ok=True)


def evaluate():
    model.eval()
    with torch.no_grad():
        accuracy = (model(test_images).argmax(1) == test_labels).float().mean().item()
    model.train()
    return accuracy


for step in range(1, args.steps + 1):
    rows = torch.randint(len(train_images), (64,))
    loss = nn.functional.cross_entropy(model(train_images[rows]), train_labels[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % args.eval_every == 0:
        accuracy = evaluate()
        print(f"step {step} loss {loss.item():.4f} accuracy {accuracy:.3f}")
        state = {"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
        torch.save(state, "checkpoints/last.pt")
        with open("log.jsonl", "a") as log:
            log.write(json.dumps({"step": step, "loss": loss.item(), "accuracy": accuracy}) + "\n")
print("done")
