"""Two common ways to read windows: from Parquet for each item, and from a pandas frame for each item."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import torch
from torch import Tensor

from hotloop.data.panel import PanelStore


class ParquetItems(torch.utils.data.Dataset[Tensor]):
    """Each window is a scan and a slice of the file, in float32, scaled: as the found data module reads it."""

    def __init__(self, parquet: Path, store: PanelStore, ends: np.ndarray, length: int) -> None:
        self.parquet, self.store, self.ends, self.length = parquet, store, ends, length

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, index: int) -> Tensor:
        start = int(self.ends[index]) - self.length + 1
        rows = pl.scan_parquet(self.parquet).select(self.store.features).slice(start, self.length).collect()
        return torch.from_numpy(self.store.scaler(rows.to_numpy().astype(np.float32)))


class PandasItems(torch.utils.data.Dataset[Tensor]):
    """The frame is in memory; each window is `iloc` of its code's rows, in float32, scaled."""

    def __init__(self, parquet: Path, store: PanelStore, ends: np.ndarray, length: int) -> None:
        self.store, self.ends, self.length = store, ends, length
        self.frame: Any = pd.read_parquet(parquet)

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, index: int) -> Tensor:
        end = int(self.ends[index])
        rows = self.frame.iloc[end - self.length + 1 : end + 1][list(self.store.features)]
        return torch.from_numpy(self.store.scaler(rows.to_numpy(dtype=np.float32)))
