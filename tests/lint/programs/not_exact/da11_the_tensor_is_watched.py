import torch


def f(xs):
    s = torch.empty(0)
    for x in xs:
        s = torch.cat([s, x])
        print(len(s))
