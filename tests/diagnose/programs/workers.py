"""A program whose loader loads in worker processes, forked or spawned, that draw random numbers of their own."""

import argparse
import functools
import random
import time

import numpy
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

drawn = 0.0


def begin(worker):
    global drawn
    drawn = random.random() + worker


@functools.lru_cache(maxsize=4)  # DA05
def label(index):
    return float(index % 7)


class Slow(Dataset):
    def __len__(self):
        return 64

    def __getitem__(self, index):
        time.sleep(0.002)  # DA03
        noise = drawn + random.random() + float(numpy.random.rand()) + torch.rand(16)
        return noise, torch.tensor([label(index)])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--context", choices=["fork", "spawn"], default="fork")
    parser.add_argument("--persistent", action="store_true")
    args = parser.parse_args()
    torch.manual_seed(0)
    random.seed(0)
    loader = DataLoader(
        Slow(),
        batch_size=4,
        shuffle=True,
        num_workers=1,
        worker_init_fn=begin,
        multiprocessing_context=args.context,
        persistent_workers=args.persistent,
    )
    model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    for _ in range(100_000):
        for index, (x, y) in enumerate(loader):  # DA12
            if index == 12:
                break
            loss = F.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


if __name__ == "__main__":
    main()
