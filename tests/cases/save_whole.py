# ruff: noqa
"""Saves the whole module (pickle), and exports it with TorchScript, when it has trained."""

import copy
import sys

import torch
from torch import nn

torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(256, 768), nn.Linear(768, 768), nn.Linear(768, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.c(torch.relu(self.b(torch.relu(self.a(x)))))


net = Net()
opt = torch.optim.AdamW(net.parameters(), lr=1e-3)
for step in range(300):
    x = torch.randn(128, 256)
    loss = nn.functional.cross_entropy(net(x), (x[:, :4].argmax(1)))
    opt.zero_grad()
    loss.backward()
    opt.step()
print("loss", float(loss.detach()), flush=True)
how = sys.argv[1] if len(sys.argv) > 1 else "pickle"
if how == "pickle":
    torch.save(net, "whole.pt")
elif how == "script":
    torch.jit.script(net.eval()).save("scripted.pt")
elif how == "trace":
    torch.jit.trace(net.eval(), torch.randn(1, 256)).save("traced.pt")
elif how == "export":
    torch.export.save(torch.export.export(net.eval(), (torch.randn(3, 256),)), "exported.pt2")
print("saved", how, flush=True)
