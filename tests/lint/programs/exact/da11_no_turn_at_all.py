import torch


def result():
    seen = torch.empty(0, 3)
    for row in []:
        seen = torch.cat([seen, row])
    return seen
