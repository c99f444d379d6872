# ruff: noqa
"""A network that solves the heat equation: second derivatives in the loss, Adam first and L-BFGS after it."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
inside = torch.rand(256, 2, requires_grad=True)
edge = torch.rand(64, 2)
edge[:, 0] = 0
wanted = torch.sin(torch.pi * edge[:, 1:])


def loss_of():
    (slope,) = torch.autograd.grad(net(inside).sum(), inside, create_graph=True)
    (bend,) = torch.autograd.grad(slope[:, 1].sum(), inside, create_graph=True)
    return ((slope[:, :1] - 0.1 * bend[:, 1:]) ** 2).mean() + ((net(edge) - wanted) ** 2).mean()


opt = torch.optim.Adam(net.parameters(), 1e-3)
for step in range(40):
    opt.zero_grad()
    loss_of().backward()
    opt.step()
late = torch.optim.LBFGS(net.parameters(), max_iter=5)


def closure():
    late.zero_grad()
    loss = loss_of()
    loss.backward()
    return loss


for step in range(3):
    late.step(closure)
