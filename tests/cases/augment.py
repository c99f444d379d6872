# ruff: noqa
"""The dataset augments with random numbers, as almost every vision pipeline does."""

import time
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(0)


class Augmented(Dataset):
    def __init__(self):
        self.x = torch.randn(640, 64)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        time.sleep(0.0004)
        x = self.x[i]
        if torch.rand(()) < 0.5:
            x = x.flip(0)
        return x + 0.3 * torch.randn(64), x[:4].argmax()


loader = DataLoader(Augmented(), batch_size=16, shuffle=True)
net = nn.Sequential(nn.Linear(64, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 4))
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
for epoch in range(10):
    for x, y in loader:
        loss = nn.functional.cross_entropy(net(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
print("end", float(loss.detach()), flush=True)
