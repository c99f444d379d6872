"""The control of a panel: the same panel with its targets dealt anew among the stocks of each day."""

from pathlib import Path

import numpy as np
import polars as pl

from hotloop.data.panel.columns import TARGET_PREFIX
from hotloop.whole_file import whole_file


def write_shuffled_panel(source: Path | str, path: Path | str, *, seed: int = 0, date: str = "date") -> Path:
    """Write `source` with the targets of each day permuted, all of a row together; what finds a signal there is wrong.

    Held in memory. Only the columns that begin with target_ move; rows come out by date.
    """
    frame = pl.read_parquet(source).sort(date, maintain_order=True)
    targets = [name for name in frame.columns if name.startswith(TARGET_PREFIX)]
    drawn = np.random.default_rng(seed).random(frame.height)
    order = np.lexsort((drawn, frame[date].to_numpy()))  # within each day, at random
    shuffled = frame.with_columns(frame.select(targets)[order])
    file = Path(path)
    with whole_file(file) as temporary:
        shuffled.write_parquet(temporary)
    return file
