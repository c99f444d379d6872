"""Works for ever, or sleeps for ever (--sleep), and never makes an optimizer step."""

import argparse
import time

import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--sleep", action="store_true")
args = parser.parse_args()

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(256, 512), nn.ReLU(), nn.Linear(512, 1))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

print("scoring", flush=True)
total = 0.0
while True:
    if args.sleep:
        time.sleep(60)
        continue
    with torch.no_grad():
        total += model(torch.randn(256, 256)).mean().item()
