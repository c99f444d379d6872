"""pytorch-forecasting's side of against_peers: its TimeSeriesDataSet and loader, an MLP with the same layers."""

import sys
import time

import polars as pl
import torch
from pytorch_forecasting import TimeSeriesDataSet
from pytorch_forecasting.data.encoders import EncoderNormalizer
from torch import nn

parquet, length, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
frame = pl.read_parquet(parquet).with_columns(
    step=pl.int_range(pl.len()).over("code"), value=pl.col("return_1d").fill_null(0.0)
)
data = TimeSeriesDataSet(
    frame.select("code", "step", "value").to_pandas(),
    time_idx="step",
    target="value",
    group_ids=["code"],
    max_encoder_length=length,
    min_encoder_length=length,
    max_prediction_length=1,
    time_varying_unknown_reals=["value"],
    target_normalizer=EncoderNormalizer(),
)
loader = data.to_dataloader(train=True, batch_size=size, num_workers=0)
model = nn.Sequential(nn.Flatten(), nn.Linear(length, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
optimizer = torch.optim.Adam(model.parameters())


def run(what):
    count, began = 0, time.perf_counter()
    for inputs, (target, _) in loader:
        count += len(target)
        if what == "epoch":
            loss = (model(inputs["encoder_cont"]) - target).abs().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    print("figures", time.perf_counter() - began, count, flush=True)


run("samples")
for line in sys.stdin:
    run(line.strip())
