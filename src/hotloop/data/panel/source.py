"""Parquet files as a source of rows: found, hashed, and streamed as float32 in bounded memory.

R rows, B rows of a batch, C columns.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from hotloop.data.panel.columns import ResolvedColumns
from hotloop.errors import PanelError

BATCH_BYTES = 1 << 26  # of decoded float64 values that are held at once
_HASH_BYTES = 1 << 22


@dataclass(frozen=True, kw_only=True)
class ParquetSource:
    """Files of one panel, in the order of their names; sizes and times are those from when it was looked at."""

    files: tuple[Path, ...]
    stamps: tuple[tuple[int, int], ...]

    @classmethod
    def find(cls, parquet: Path | str | Sequence[Path | str]) -> "ParquetSource":
        """One file, every *.parquet in a folder, or the files named. Raises PanelError where there is none."""
        if isinstance(parquet, Path | str):
            path = Path(parquet)
            files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
        else:
            files = [Path(file) for file in parquet]
        missing = [str(file) for file in files if not file.is_file()]
        if missing or not files:
            raise PanelError(
                f"no Parquet file: {', '.join(missing) or parquet} (looked in {Path.cwd()}); give a file, a folder "
                "with *.parquet in it, or a list of files"
            )
        return cls(files=tuple(files), stamps=tuple(map(_stamp, files)))

    def schema(self, file: Path) -> pa.Schema:
        """The columns of one file. Raises PanelError for what is no Parquet file, or was cut short."""
        try:
            return pq.read_schema(file)
        except (pa.ArrowException, OSError) as error:
            raise PanelError(
                f"{file} cannot be read as Parquet ({error}); it is damaged or something else: write it again"
            ) from error

    def check(self, columns: ResolvedColumns) -> None:
        """Raise PanelError unless every file has the columns."""
        for file in self.files:
            schema = self.schema(file)
            columns.check(dict(zip(schema.names, schema.types, strict=True)), source=str(file))

    def digest(self) -> str:
        """A hash of the content of all files; of nothing else."""
        total = hashlib.blake2b(digest_size=16)
        for file in self.files:
            total.update(file_digest(file).encode())
        return total.hexdigest()

    def check_unchanged(self) -> None:
        """Raise PanelError where a file was written since `find`."""
        changed = [str(file) for file, stamp in zip(self.files, self.stamps, strict=True) if _stamp(file) != stamp]
        if changed:
            raise PanelError(
                f"{', '.join(changed)} changed while the store was built from it; what was read is no one panel: "
                "build again when nothing writes there"
            )

    def batches(self, names: Sequence[str]) -> Iterator[NDArray[np.float32]]:
        """Every row of all files, (B, C) float32 of the columns `names`; what is missing is NaN."""
        size = max(1, BATCH_BYTES // (8 * max(1, len(names))))
        for file in self.files:
            try:
                # With pre_buffer, pyarrow's default, what was read ahead stays until the whole file has been read.
                with pq.ParquetFile(file, pre_buffer=False) as rows:
                    for batch in rows.iter_batches(batch_size=size, columns=list(names), use_threads=False):
                        yield _as_float32(batch, names)
            except (pa.ArrowException, OSError) as error:
                raise PanelError(f"{file} cannot be read ({error}); it is damaged: write it again") from error


def file_digest(file: Path) -> str:
    """The hash of a file's content."""
    digest = hashlib.blake2b(digest_size=16)
    with file.open("rb") as stream:
        while piece := stream.read(_HASH_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def _stamp(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns


def _as_float32(batch: pa.RecordBatch, names: Sequence[str]) -> NDArray[np.float32]:
    values_BC = np.empty((batch.num_rows, len(names)), np.float32)
    for index, name in enumerate(names):
        column = batch.column(name)
        if pa.types.is_boolean(column.type):
            column = column.cast(pa.uint8())
        if column.null_count:
            column = column.cast(pa.float64())
        with np.errstate(over="ignore"):  # a float64 beyond float32 becomes an infinity, which is looked for later
            values_BC[:, index] = column.to_numpy(zero_copy_only=False)
    return values_BC
