# ruff: noqa
"""Five-fold cross-validation; each fold builds a fresh network and optimizer."""

import torch
from torch import nn

torch.manual_seed(0)
X = torch.randn(2000, 256)
Y = (X[:, :8].sum(1) > 0).long()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(256, 768), nn.Linear(768, 768), nn.Linear(768, 2)

    def forward(self, x):
        h = torch.relu(self.a(x))
        h = torch.relu(self.b(h))
        return self.c(h)


def run_fold(fold, steps=80):
    net = Net()
    opt = torch.optim.AdamW(net.parameters(), lr=1e-3)
    keep = torch.ones(len(X), dtype=torch.bool)
    keep[fold * 400 : (fold + 1) * 400] = False
    x, y = X[keep], Y[keep]
    for step in range(steps):
        i = torch.randint(0, len(x), (128,))
        loss = nn.functional.cross_entropy(net(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        accuracy = (net(X[~keep]).argmax(1) == Y[~keep]).float().mean()
    forward = type(net.__dict__.get("forward")).__name__
    compiled = net._compiled_call_impl is not None
    print(
        f"fold {fold}: accuracy {accuracy:.3f} forward={forward} compiled={compiled} fused={opt.defaults.get('fused')}",
        flush=True,
    )


for fold in range(5):
    run_fold(fold)
