from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from hotloop.data.panel import PanelStore
from hotloop.data.panel.synthetic import SyntheticPanel, write_synthetic_panel

FIRST = date(2020, 1, 1)


@pytest.fixture
def rows() -> Callable[..., pl.DataFrame]:
    """A panel of two features and one target; `lengths` are the rows of the stocks A, B, ..."""

    def make(lengths: tuple[int, ...] = (6, 4), **changes: Any) -> pl.DataFrame:
        rng = np.random.default_rng(0)
        total = sum(lengths)
        frame = pl.DataFrame(
            {
                "code": [chr(65 + stock) for stock, length in enumerate(lengths) for _ in range(length)],
                "date": [FIRST + timedelta(days=day) for length in lengths for day in range(length)],
                "price": rng.normal(1000.0, 1.0, total),
                "volume": rng.normal(size=total),
                "target_1d": rng.normal(size=total),
            }
        )
        return frame.with_columns(**changes)

    return make


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., PanelStore]:
    """The store of a frame."""

    def make(frame: pl.DataFrame, **options: Any) -> PanelStore:
        file = tmp_path / "panel.parquet"
        frame.write_parquet(file)
        return PanelStore.build(file, tmp_path / "stores", **options)

    return make


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made panel of 30 stocks and 80 days."""
    panel = SyntheticPanel(codes=30, days=80, features=8, seed=1)
    return write_synthetic_panel(tmp_path_factory.mktemp("made") / "panel.parquet", panel)


@pytest.fixture(scope="session")
def store(made: Path) -> PanelStore:
    """The store of that panel."""
    return PanelStore.build(made, made.parent / "stores")
