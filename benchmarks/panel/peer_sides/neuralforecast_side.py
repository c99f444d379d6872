"""neuralforecast's side of against_peers: its own windows on the device, its MLP with the same layers.

The library draws its windows inside its training step and has no loader apart from it, so that both answers are an
epoch of training.
"""

import logging
import sys
import time

import polars as pl
from neuralforecast import NeuralForecast
from neuralforecast.losses.pytorch import MAE
from neuralforecast.models import MLP

logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
parquet, length, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
frame = pl.read_parquet(parquet).select(unique_id="code", ds="date", y=pl.col("return_1d").fill_null(0.0)).to_pandas()
num_windows = len(frame) - frame["unique_id"].nunique() * length


def run():
    model = MLP(
        h=1,
        input_size=length,
        hidden_size=64,
        num_layers=2,
        loss=MAE(),
        max_steps=-(-num_windows // size),
        windows_batch_size=size,
        batch_size=frame["unique_id"].nunique(),
        scaler_type="identity",
        enable_progress_bar=False,
        logger=False,
        enable_checkpointing=False,
        accelerator="cpu",
    )
    forecast = NeuralForecast(models=[model], freq="B")
    began = time.perf_counter()
    forecast.fit(frame)
    print("figures", time.perf_counter() - began, num_windows, flush=True)


run()
for _ in sys.stdin:
    run()
