"""Started as `python -m pkg.train`."""

import torch
from torch import nn

from .net import make

torch.manual_seed(0)
net = make()
opt = torch.optim.AdamW(net.parameters())
for step in range(400):  # noqa: B007
    x = torch.randn(64, 64)
    loss = nn.functional.cross_entropy(net(x), x[:, :4].argmax(1))
    opt.zero_grad()
    loss.backward()
    opt.step()
print("done", float(loss.detach()), flush=True)
