import torch


def result():
    torch.manual_seed(0)
    images, labels = torch.randn(40, 3, 4), torch.randint(0, 9, (40,))
    order = torch.randperm(40)
    total = torch.zeros(())
    for start in range(0, 40, 8):
        x = torch.stack([images[i] for i in order[start : start + 8]])
        y = torch.stack([labels[row] for row in order[start : start + 8]])
        z = torch.stack([images[i] for i in range(start, start + 8)])
        total = total + (x.sum(dim=(1, 2)) * y).sum() + (z * x).sum()
    return total
