import torch
from torch.utils.data import DataLoader, TensorDataset


class D:
    def __len__(self):
        return 9

    def __getitem__(self, i):
        return torch.rand(())


def f(model):
    loader = DataLoader(D())
    for i, x in enumerate(loader):
        if i >= 3:
            break
        model(x)
