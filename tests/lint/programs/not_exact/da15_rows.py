import torch


def result(rows):
    torch.manual_seed(0)
    images = torch.randn(40, 3, 4)
    chosen = images[:, 0, 0] > 0
    total = torch.zeros(())
    for _ in range(3):
        total = total + torch.stack([images[i] for i in rows]).sum()
        total = total + torch.stack([images[i] for i in chosen]).sum()
    return total
