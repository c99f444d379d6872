"""The words of beside/train.py, read by relative path."""

import torch


def read(path="data/words.txt"):
    with open(path) as file:
        words = file.read().lower().split()
    number = {word: i for i, word in enumerate(sorted(set(words)))}
    return torch.tensor([number[word] for word in words]), len(number)


def batch(ids, size, length):
    places = torch.randint(len(ids) - length, (size, 1)) + torch.arange(length)
    return ids[places], ids[places + 1]
