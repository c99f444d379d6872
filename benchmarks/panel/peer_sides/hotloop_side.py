"""hotloop's side of against_peers: batches from the mapped store, an MLP on the window of the target."""

import sys
import tempfile
import time

import torch
from torch import nn

from hotloop.data.panel import PanelColumns, PanelStore

parquet, length, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
folder = tempfile.TemporaryDirectory()
columns = PanelColumns(features=("return_1d",), targets=("target_1d",), exposures=())
windows = PanelStore.build(parquet, folder.name, columns=columns).windows(length)
model = nn.Sequential(nn.Flatten(), nn.Linear(length, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
optimizer = torch.optim.Adam(model.parameters())


def batches():
    order = torch.randperm(len(windows))
    for first in range(0, len(order), size):
        yield windows.batch(order[first : first + size])


def run(what):
    count, began = 0, time.perf_counter()
    for batch in batches():
        count += len(batch.features)
        if what == "epoch":
            loss = (model(batch.features) - batch.targets.nan_to_num()).abs().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    print("figures", time.perf_counter() - began, count, flush=True)


run("samples")
for line in sys.stdin:
    run(line.strip())
