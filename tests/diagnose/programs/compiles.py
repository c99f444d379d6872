"""A program that compiles: a graph break, a recompile each few steps, a compiled module whose forward nobody calls."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x, scale):
        x = self.layer(x)
        if x.sum() > 1e6:  # break
            x = x + 1
        return x * scale


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x):
        return self.layer(x)

    def act(self, x):
        return self.layer(x) * 2


def main():
    torch.manual_seed(0)
    net = torch.compile(Net(), backend="eager")
    policy = torch.compile(Policy(), backend="eager")  # never called
    optimizer = torch.optim.SGD([*net.parameters(), *policy.parameters()], lr=1e-3)
    for step in range(100_000):
        x = torch.randn(*[2] * (step // 4 % 6), 4, 8)
        loss = (net(x, 2.0) + policy.act(x)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


if __name__ == "__main__":
    main()
