"""Decoding a Parquet panel once: keys, then the scaler from the training span, then every row, scaled and cast.

What is held in memory: the keys (up to 300 bytes a row), `fit_rows` rows for the scaler, a row group of the file and
one batch of 64 MB; the rest goes to the disk. Rows that come unsorted are put at their place. R rows, B of a batch,
F features.
"""

import hashlib
import json
import os
import shutil
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray

from hotloop.data.panel.columns import ResolvedColumns, names_where, shortened
from hotloop.data.panel.keys import RowKeys, day_as_date, read_keys
from hotloop.data.panel.manifest import FeatureType, StoreManifest
from hotloop.data.panel.scaler import PanelScaler
from hotloop.data.panel.source import ParquetSource, file_digest
from hotloop.errors import PanelError

DEFAULT_FIT_SHARE = 0.6


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """How a store is made; `scaler` is that of another store, whose features then must be the same."""

    columns: ResolvedColumns
    dtype: FeatureType = "float32"
    fit_until: int | None = None
    fit_rows: int = 100_000
    clip: float = 5.0
    seed: int = 0
    scaler: PanelScaler | None = None

    def key(self, digest: str) -> str:
        """The name of the store that these options make of content with this hash."""
        text = json.dumps({"source": digest, **asdict(self)}, sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def build_folder(source: ParquetSource, folder: Path, options: BuildOptions) -> Path:
    """The folder of the finished store under `folder`; built unless it is there, by one process at a time.

    A store appears whole, by a rename; what a builder that died has left is removed by the next one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    key = options.key(source.digest())
    done, unfinished = folder / key, folder / f".{key}.unfinished"
    with FileLock(folder / f".{key}.lock"):
        if done.is_dir():
            return done
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        try:
            _build(source, unfinished, options, key)
            source.check_unchanged()
            unfinished.rename(done)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return done


def _build(source: ParquetSource, folder: Path, options: BuildOptions, key: str) -> None:
    columns = options.columns
    source.check(columns)
    keys = read_keys(source.files, columns)
    fit_until = _fit_until(keys, options)
    scaler = options.scaler or _fitted(source, keys, fit_until, options)
    _write_rows(source, folder, keys, scaler, options)
    keys.day_R.tofile(folder / "day.bin")
    keys.first_S.tofile(folder / "first.bin")
    manifest = StoreManifest(
        key=key,
        columns=columns,
        dtype=options.dtype,
        num_rows=len(keys.day_R),
        codes=keys.codes,
        scaler=scaler,
        fit_until=fit_until,
        digests={},
    )
    digests: dict[str, str] = {}
    for name in manifest.sizes():
        with (folder / name).open("rb") as written:
            os.fsync(written.fileno())
        digests[name] = file_digest(folder / name)
    manifest.digests.update(digests)
    manifest.write(folder)


def _fit_until(keys: RowKeys, options: BuildOptions) -> int:
    if options.fit_until is not None:
        return options.fit_until
    days = np.unique(keys.day_R)
    return int(days[max(0, int(len(days) * DEFAULT_FIT_SHARE) - 1)])


def _fitted(source: ParquetSource, keys: RowKeys, fit_until: int, options: BuildOptions) -> PanelScaler:
    """The scaler of a sample of the rows up to `fit_until`, drawn evenly from all of them."""
    names = options.columns.features
    training = np.flatnonzero((keys.day_R <= fit_until)[keys.place_R])  # in the order of the source
    if not len(training):
        raise PanelError(
            f"no row is dated {day_as_date(fit_until)} or earlier, so there is nothing to fit the scaler on; the "
            f"panel begins on {day_as_date(int(keys.day_R.min()))}: give a later fit_until"
        )
    if len(training) > options.fit_rows:
        chosen = np.random.default_rng(options.seed).choice(len(training), options.fit_rows, replace=False)
        training = training[np.sort(chosen)]
    sample_RF, start, taken = np.empty((len(training), len(names)), np.float32), 0, 0
    for rows_BF in source.batches(names):
        last = int(np.searchsorted(training, start + len(rows_BF)))
        sample_RF[taken:last] = rows_BF[training[taken:last] - start]
        start, taken = start + len(rows_BF), last
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="All-NaN|Degrees of freedom", category=RuntimeWarning)
        return PanelScaler.fit(sample_RF, names, clip=options.clip)


def _write_rows(source: ParquetSource, folder: Path, keys: RowKeys, scaler: PanelScaler, options: BuildOptions) -> None:
    columns, num_rows = options.columns, len(keys.day_R)
    is_half = options.dtype == "bfloat16"
    widths = len(columns.features), len(columns.targets), len(columns.exposures)
    outputs = [
        _output(
            folder / name, np.dtype(np.int16 if is_half and name == "features.bin" else np.float32), num_rows, width
        )
        for name, width in zip(("features.bin", "targets.bin", "exposures.bin"), widths, strict=True)
    ]
    ends = np.cumsum(widths)
    start = 0
    for rows_BC in source.batches(columns.numbers):
        place_B = keys.place_R[start : start + len(rows_BC)]
        start += len(rows_BC)
        features, targets, exposures, _ = np.split(rows_BC, ends, axis=1)
        _check_labels(targets, columns.targets)
        _check_exposures(exposures, columns.exposures)
        scaled = scaler(features)
        # Scaled first and cast then: a price of 1000 that moves by 1 would lose its moves in bf16.
        # hotloop: allow SY02 reason=the tensor is on the CPU and shares its memory
        outputs[0][place_B] = torch.from_numpy(scaled).bfloat16().view(torch.int16).numpy() if is_half else scaled
        outputs[1][place_B] = targets
        outputs[2][place_B] = exposures
    if start != num_rows:
        raise PanelError(f"{start} rows were read where {num_rows} had keys; the files changed: build again")
    for output in outputs:
        if isinstance(output, np.memmap):
            output.flush()


def _output(file: Path, dtype: np.dtype[np.generic], rows: int, width: int) -> NDArray[np.generic]:
    if not width:
        file.touch()
        return np.empty((rows, 0), dtype)
    return np.memmap(file, dtype, "w+", shape=(rows, width))


def _check_labels(targets_BH: NDArray[np.float32], names: tuple[str, ...]) -> None:
    infinite = names_where(names, np.isinf(targets_BH).any(axis=0))
    if infinite:
        raise PanelError(
            f"{shortened(infinite)} hold infinities; a target is finite, or missing (as on the last days): write null"
        )


def _check_exposures(exposures_BE: NDArray[np.float32], names: tuple[str, ...]) -> None:
    bad = names_where(names, ~np.isfinite(exposures_BE).all(axis=0))
    if bad:
        raise PanelError(f"the exposures {shortened(bad)} hold missing or infinite values; fill them, 0 is none")
