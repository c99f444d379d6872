# ruff: noqa
"""Saves weights, a moving average that it never calls, the optimizer and what it logged; ends by itself."""

import sys
import time

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class Record:
    __slots__ = ("steps",)


torch.manual_seed(0)
net = nn.Sequential(nn.Linear(16, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, 4))
ema = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.8))
opt = torch.optim.AdamW(net.parameters(), lr=1e-3)
losses = []
for step in range(int(sys.argv[1])):
    x = torch.randn(256, 16)
    loss = nn.functional.cross_entropy(net(x), x[:, :4].argmax(1))
    opt.zero_grad()
    loss.backward()
    opt.step()
    ema.update_parameters(net)
    losses.append(float(loss.detach()))
    if step % 4 == 3:
        state = {"step": step, "time": time.time(), "losses": losses, "last": losses[-1], "torch": torch.__version__}
        state |= {
            "net": net.state_dict(),
            "ema": ema.state_dict(),
            "opt": opt.state_dict(),
            "draws": torch.get_rng_state(),
        }
        if len(sys.argv) > 2:
            state["record"] = Record()
            Record.__reduce__ = lambda self: (dict, ())
        torch.save(state, "last.pt")
assert torch.load("last.pt", weights_only=False)["step"] == step
