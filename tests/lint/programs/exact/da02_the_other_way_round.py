import torch


def result():
    last = list()
    for i in range(9):
        last.insert(0, i)
        if len(last) > 5000 or i % 2:
            last.pop()
    return torch.tensor(list(last))
