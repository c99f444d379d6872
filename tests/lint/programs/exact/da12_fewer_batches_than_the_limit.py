import torch
from torch.utils.data import DataLoader, TensorDataset

LIMIT = 9


def result():
    torch.manual_seed(0)
    loader = DataLoader(TensorDataset(torch.arange(12.0)), 4, shuffle=True)
    total = torch.zeros(())
    for i, (x,) in enumerate(loader):
        if i >= LIMIT:
            break
        total = total + x[0]
    return torch.stack([total, torch.rand(())])
