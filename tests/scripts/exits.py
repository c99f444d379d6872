"""argparse with parser.error for bad arguments (exit 2), and sys.exit(0) at the end of a good run."""

import argparse
import sys

import torch
from torch import nn


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--activation", choices=["relu", "gelu"], default="gelu")
    parser.add_argument("--width", type=int, default=512)
    args = parser.parse_args()
    if args.width % 8:
        parser.error(f"--width must be a multiple of 8, got {args.width}")

    torch.manual_seed(0)
    act = {"relu": nn.ReLU, "gelu": nn.GELU}[args.activation]
    layers = [nn.Linear(128, args.width), act(), nn.Linear(args.width, args.width), act(), nn.Linear(args.width, 1)]
    model = nn.Sequential(*layers)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for step in range(1, args.steps + 1):
        inputs = torch.randn(256, 128)
        loss = nn.functional.mse_loss(model(inputs), inputs[:, :4].prod(1, keepdim=True))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 20 == 0:
            print(f"step {step} loss {loss.item():.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
