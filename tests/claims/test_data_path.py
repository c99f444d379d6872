"""Traps of panel items 3 and 9: bit-equal samples, stated memory, the order of normalising and casting."""

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.claims.panel_09_bf16_batches import late_error, loss_gap, to_bf16
from benchmarks.claims.parquet_windows import DecodedOnce, PerItem, write

ROWS, COLUMNS, LENGTH = 90, 7, 12


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write(tmp_path / "stock.parquet", rows=ROWS, columns=COLUMNS, group=20)
    return tmp_path / "stock.parquet"


@pytest.mark.parametrize("reader", ["polars", "polars, cast inside", "pyarrow"])
@pytest.mark.parametrize("limit", [1 << 20, 0])
def test_windows_are_bit_equal_however_they_are_read(path: Path, tmp_path: Path, reader: str, limit: int) -> None:
    item = PerItem(path, length=LENGTH, reader=reader)
    once = DecodedOnce(item, limit_bytes=limit, folder=tmp_path)
    assert len(item) == len(once) == ROWS - LENGTH + 1
    for start in (0, 13, 19, 20, len(item) - 1):
        np.testing.assert_array_equal(once[start], item[start])
        assert item[start].dtype == np.float32


def test_memory_is_what_was_stated_and_large_files_are_mapped(path: Path, tmp_path: Path) -> None:
    item = PerItem(path, length=LENGTH)
    small = DecodedOnce(item, limit_bytes=ROWS * COLUMNS * 4, folder=tmp_path)
    large = DecodedOnce(item, limit_bytes=ROWS * COLUMNS * 4 - 1, folder=tmp_path)
    assert small.nbytes == large.nbytes == ROWS * COLUMNS * 4
    assert not small.is_mapped
    assert large.is_mapped
    assert isinstance(large[0].base, np.ndarray)
    assert (tmp_path / "rows.npy").stat().st_size >= large.nbytes


def test_windows_are_views_and_finite(path: Path, tmp_path: Path) -> None:
    once = DecodedOnce(PerItem(path, length=LENGTH), limit_bytes=1 << 20, folder=tmp_path)
    assert np.shares_memory(once[0], once[1])
    assert np.isfinite(once[0]).all()
    assert np.abs(once[0]).max() <= 5


def test_normalised_features_are_cast_and_targets_are_not() -> None:
    features, targets = to_bf16(torch.randn(4, 6, 3), torch.randn(4))
    assert features.dtype == torch.bfloat16
    assert targets.dtype == torch.float32


def test_columns_that_were_not_normalised_are_refused_by_number() -> None:
    prices = torch.randn(64, 3) + torch.tensor([0.0, 1000.0, 0.0])
    with pytest.raises(ValueError, match=r"columns \[1\] .* normalise in float32 first"):
        to_bf16(prices, torch.randn(64))


def test_targets_in_bf16_are_refused() -> None:
    with pytest.raises(ValueError, match="labels and prices must stay float32"):
        to_bf16(torch.randn(8, 2), torch.randn(8, dtype=torch.bfloat16))


def test_normalising_after_the_cast_ruins_prices_only() -> None:
    assert late_error(0.0) < 0.01
    assert late_error(1000.0) > 0.5


def test_losses_of_bf16_features_stay_within_one_per_cent() -> None:
    assert loss_gap() < 0.01
