# ruff: noqa
"""A curriculum: the dataset's `epoch` says how hard samples are; it is advanced by the main process after each pass."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(0)


class Curriculum(Dataset):
    def __init__(self):
        self.epoch = 0
        rng = np.random.default_rng(0)
        self.x = rng.standard_normal((640, 64)).astype("float32")

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        x = self.x[i]
        for _ in range(40):  # decoding that costs time
            x = np.tanh(x + 1e-3 * np.sort(x))
        scale = 1.0 + self.epoch  # later epochs see larger targets
        return torch.from_numpy(x), torch.tensor([float(x[:4].sum()) * scale], dtype=torch.float32)


data = Curriculum()
loader = DataLoader(data, batch_size=16, shuffle=True)
net = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 1))
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
for epoch in range(8):
    data.epoch = epoch
    seen = []
    for x, y in loader:
        loss = nn.functional.mse_loss(net(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
        seen.append(float(y.abs().mean()))
    print(f"epoch {epoch}: mean |target| {sum(seen) / len(seen):.4f} loss {float(loss.detach()):.4f}", flush=True)
