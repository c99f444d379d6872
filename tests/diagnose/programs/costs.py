"""A training program with one of each fault of data paths: every marked line is one."""

import functools
import time

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset


@functools.lru_cache(maxsize=8)  # DA05
def label(index):
    return float(index % 7)


class Slow(Dataset):
    def __len__(self):
        return 64

    def __getitem__(self, index):
        time.sleep(0.001)  # DA03
        return torch.full((16,), float(index)), torch.tensor([label(index)])


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.wide = nn.Sequential(nn.Linear(16, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU())
        self.narrow = nn.Linear(512, 1)

    def forward(self, x):
        return self.narrow(self.wide(x))


def evaluate(model, x):
    model.eval()
    for _ in range(60):
        model(x)  # ME04
    model.train()


def main():
    torch.manual_seed(0)
    loader = DataLoader(Slow(), batch_size=4, shuffle=True)
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    seen = torch.empty(0)
    for _ in range(100_000):
        for index, (x, y) in enumerate(loader):  # DA06 DA12
            if index == 12:
                break
            loss = F.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            seen = torch.cat([seen, loss.detach().reshape(1)])  # DA11
        evaluate(model, torch.zeros(256, 16))


if __name__ == "__main__":
    main()
