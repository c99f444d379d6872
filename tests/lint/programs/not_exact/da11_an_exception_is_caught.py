import torch


def f(xs):
    s = torch.empty(0)
    try:
        for x in xs:
            s = torch.cat([s, x])
    except ValueError:
        pass
    return s
