"""Kills itself with SIGKILL after twelve steps, as the kernel does when memory runs out."""

import os
import signal

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(256, 512), nn.ReLU(), nn.Linear(512, 1))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

for step in range(1, 401):
    inputs = torch.randn(256, 256)
    loss = nn.functional.mse_loss(model(inputs), inputs.mean(1, keepdim=True))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step {step} loss {loss.item():.4f}", flush=True)
    if step == 12:
        os.kill(os.getpid(), signal.SIGKILL)
