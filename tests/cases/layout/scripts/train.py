"""Started inside scripts/: the library and the data are one folder up."""

import os
import sys

sys.path.append("..")
import torch
from mylib import make
from torch import nn

torch.manual_seed(0)
net = make()
opt = torch.optim.AdamW(net.parameters())
for step in range(int(open(os.path.join("..", "data", "steps.txt")).read())):  # noqa: B007, SIM115
    x = torch.randn(64, 64)
    loss = nn.functional.cross_entropy(net(x), x[:, :4].argmax(1))
    opt.zero_grad()
    loss.backward()
    opt.step()
print("done", float(loss.detach()), flush=True)
