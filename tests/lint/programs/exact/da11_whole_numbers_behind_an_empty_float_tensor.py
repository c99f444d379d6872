import torch


def result():
    seen = torch.empty(0)
    for i in range(3):
        seen = torch.cat((seen, torch.arange(i)), dim=0)
    return seen
