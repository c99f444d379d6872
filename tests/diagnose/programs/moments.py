"""A program that keeps house in every step, trains on one sample at a time, and looks at its gradients too early.

With --clean the same training without any of it; gradients are looked at, and memory is cleaned, where they may be.
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
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    for x, y in loader:  # DA08
        loss = 0.1 + (model(x.unsqueeze(0)).squeeze() - y).square().mean()
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaled = torch.stack([p.grad.norm() for p in model.parameters()])  # OP04
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
        clipped = nn.utils.get_total_norm([p.grad for p in model.parameters()])  # OP04
        scaler.step(optimizer)
        scaler.update()
        gc.collect(1)  # SY08
        collect(0)  # SY08
        torch.cuda.empty_cache()  # SY08
    print(scaled, clipped)


def train_clean(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    for step, (x, y) in enumerate(loader):
        loss = 0.1 + (model(x).squeeze(1) - y).square().mean()
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        norms = torch.stack([p.grad.norm() for p in model.parameters()])
        nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
        scaler.step(optimizer)
        scaler.update()
        if step % 50 == 0:
            gc.collect()
            torch.cuda.empty_cache()
    print(norms)


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
