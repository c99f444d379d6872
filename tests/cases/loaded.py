# ruff: noqa
"""Two data sets: one decodes in `__getitem__`, one holds tensors. python loaded.py WORKERS [changes|hidden]"""

import sys
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset, random_split

torch.manual_seed(0)
workers, how = int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""
SHIFT = torch.zeros(1).numpy()  # what no attribute of the data set shows


class Decoded(Dataset):
    def __init__(self):
        self.raw = torch.randint(256, (96, 16), dtype=torch.uint8)
        self.scale = 255.0

    def __len__(self):
        return len(self.raw)

    def __getitem__(self, i):
        x = self.raw[i].float() / self.scale + torch.from_numpy(SHIFT)
        return {"x": x, "y": int(self.raw[i][0] > 127)}


data = Decoded()
train, held_out = random_split(TensorDataset(torch.randn(48, 16), torch.randint(2, (48,))), [40, 8])
loaders = [DataLoader(data, 8, shuffle=True, num_workers=workers), DataLoader(train, 8, shuffle=True, drop_last=True)]
net = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 2))
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
for epoch in range(3):
    if how == "changes":
        data.scale = 255.0 * (1 + epoch)
    if how == "hidden":
        SHIFT[0] = epoch
    for loader in loaders:
        for batch in loader:
            x, y = batch.values() if isinstance(batch, dict) else batch
            loss = nn.functional.cross_entropy(net(x), y)
            opt.zero_grad()
            loss.backward()
            opt.step()
