"""A program that empties caches and collects garbage in every step, and trains on one sample at a time.

With --clean the same training on batches, with memory cleaned up once in fifty steps.
"""

import argparse
import gc
import time
from gc import collect

import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset


class Rows(IterableDataset):
    def __init__(self, batch):
        self.batch = batch

    def __iter__(self):
        while True:
            time.sleep(0.002)
            x = torch.randn(*self.batch, 16)
            yield x, x.sum(-1)


def train(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    for x, y in loader:  # DA08
        loss = 0.1 + (model(x.unsqueeze(0)).squeeze() - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        gc.collect(1)  # SY08
        collect(0)  # SY08
        torch.cuda.empty_cache()  # SY08


def train_clean(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    for step, (x, y) in enumerate(loader):
        loss = 0.1 + (model(x).squeeze(1) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            gc.collect()
            torch.cuda.empty_cache()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--clean", action="store_true")
    clean = parser.parse_args().clean
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 1))
    loader = DataLoader(Rows((32,) if clean else ()), batch_size=None)
    (train_clean if clean else train)(model, loader)


if __name__ == "__main__":
    main()
