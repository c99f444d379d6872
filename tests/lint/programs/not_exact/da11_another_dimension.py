import torch


def f(xs):
    s = torch.empty(2, 0)
    for x in xs:
        s = torch.cat([s, x], dim=1)
    return s
