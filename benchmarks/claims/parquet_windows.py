"""Windows over rows of a parquet file, read for each item or decoded once: the data path of the stock-panel model."""

import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

Rows = NDArray[np.float32]
CLIP = 5.0
MAD_TO_SD = 1.4826


def write(path: Path, *, rows: int, columns: int, group: int) -> None:
    """One stock's file: float64 columns, a few of them missing here and there."""
    values_RF = np.random.default_rng(0).standard_normal((rows, columns)) * 3 + 10
    values_RF[:: max(1, rows // 7), 0] = np.nan
    table = pa.table({f"f{number:03d}": values_RF[:, number] for number in range(columns)})
    pq.write_table(table, path, row_group_size=group)


class Normalizer:
    """Robust z-scores in float64, clipped: the statistics of the whole file."""

    def __init__(self, values_RF: NDArray[np.float64]) -> None:
        filled_RF = np.nan_to_num(values_RF.astype(np.float32)).astype(np.float64)
        self._median_F = np.median(filled_RF, axis=0)
        deviation_F = np.median(np.abs(filled_RF - self._median_F), axis=0)
        self._scale_F = np.maximum(MAD_TO_SD * deviation_F, 1e-8)

    def __call__(self, rows_LF: Rows) -> Rows:
        z_LF = (rows_LF.astype(np.float64) - self._median_F) / self._scale_F
        return np.clip(z_LF, -CLIP, CLIP).astype(np.float32)


class PerItem:
    """Windows of `length` rows, each read from the file when asked for; the steps can be run one by one."""

    def __init__(self, path: Path, *, length: int, reader: str = "polars") -> None:
        self.path, self.length = path, length
        self.columns = pq.read_schema(path).names
        self.normalize = Normalizer(pl.read_parquet(path).to_numpy())
        self._readers: dict[str, Callable[[int], NDArray[np.float64]]] = {
            "polars": self.read_polars,
            "polars, cast inside": self.read_polars_cast,
            "pyarrow": self.read_groups,
        }
        self.read = self._readers[reader]

    def __len__(self) -> int:
        return pq.read_metadata(self.path).num_rows - self.length + 1

    def __getitem__(self, start: int) -> Rows:
        return self.normalize(self.fill(self.cast(self.read(start))))

    def read_polars(self, start: int) -> NDArray[np.float64]:
        return pl.scan_parquet(self.path).select(self.columns).slice(start, self.length).collect().to_numpy()

    def read_polars_cast(self, start: int) -> NDArray[np.float64]:
        scan = pl.scan_parquet(self.path).select(pl.col(self.columns).cast(pl.Float32))
        return scan.slice(start, self.length).collect().to_numpy()

    def read_groups(self, start: int) -> NDArray[np.float64]:
        """All row groups that the window touches, whole."""
        file = pq.ParquetFile(self.path)
        group = file.metadata.row_group(0).num_rows
        first, last = start // group, (start + self.length - 1) // group
        table = file.read_row_groups(list(range(first, last + 1)), columns=self.columns, use_threads=False)
        offset = start - first * group
        return np.column_stack([column.to_numpy() for column in table.slice(offset, self.length).columns])

    @staticmethod
    def cast(rows_LF: NDArray[Any]) -> Rows:
        return rows_LF.astype(np.float32, copy=False)

    @staticmethod
    def fill(rows_LF: Rows) -> Rows:
        return np.nan_to_num(rows_LF)


class DecodedOnce:
    """The same windows as views of one array, decoded and normalised once.

    The array takes rows x columns x 4 bytes; above `limit_bytes` it lies in a memory-mapped file in `folder` instead.
    """

    def __init__(self, source: PerItem, *, limit_bytes: int, folder: Path) -> None:
        self.length = source.length
        rows = pq.read_metadata(source.path).num_rows
        shape = rows, len(source.columns)
        self.nbytes = rows * len(source.columns) * np.dtype(np.float32).itemsize
        self.is_mapped = self.nbytes > limit_bytes
        if self.is_mapped:
            self._rows_RF: Rows = np.lib.format.open_memmap(folder / "rows.npy", "w+", np.float32, shape)
        else:
            self._rows_RF = np.empty(shape, np.float32)
        file, start = pq.ParquetFile(source.path), 0
        for batch in file.iter_batches(columns=source.columns):
            rows_BF = np.column_stack([column.to_numpy(zero_copy_only=False) for column in batch.columns])
            self._rows_RF[start : start + len(rows_BF)] = source.normalize(source.fill(source.cast(rows_BF)))
            start += len(rows_BF)

    def __len__(self) -> int:
        return len(self._rows_RF) - self.length + 1

    def __getitem__(self, start: int) -> Rows:
        return self._rows_RF[start : start + self.length]


class Reads:
    """One stock's file in a folder that goes with it, and the ways to get a window of it."""

    def __init__(self, *, rows: int, columns: int, length: int, group: int) -> None:
        folder = Path(tempfile.mkdtemp(prefix="claims-"))
        weakref.finalize(self, shutil.rmtree, folder)
        write(folder / "stock.parquet", rows=rows, columns=columns, group=group)
        self.ways: Mapping[str, PerItem | DecodedOnce] = {
            reader: PerItem(folder / "stock.parquet", length=length, reader=reader)
            for reader in ("polars", "polars, cast inside", "pyarrow")
        }
        self.polars = self.ways["polars"]
        self._folder = folder
        self.once = self.decode()

    def decode(self) -> DecodedOnce:
        """The file decoded and normalised anew."""
        return DecodedOnce(self.polars, limit_bytes=1 << 30, folder=self._folder)
