"""The store: a Parquet panel decoded and normalised once, mapped into memory, read as windows."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hotloop.data.panel.arrays import map_arrays
from hotloop.data.panel.batch import PanelSample
from hotloop.data.panel.build import BuildOptions, build_folder
from hotloop.data.panel.columns import PanelColumns
from hotloop.data.panel.keys import date_as_day, day_as_date, read_keys
from hotloop.data.panel.manifest import FeatureType, StoreManifest
from hotloop.data.panel.sample_cache import SampleCache
from hotloop.data.panel.scaler import PanelScaler
from hotloop.data.panel.source import ParquetSource
from hotloop.data.panel.splits import DaySpan
from hotloop.data.panel.windows import PanelWindows
from hotloop.errors import PanelError


class PanelStore:
    """Features (rows x F, float32 or bf16), targets and exposures (float32) by code and date, on the disk."""

    def __init__(self, folder: Path | str, *, verify: bool = True) -> None:
        """The store in `folder`. Raises PanelError where it is none or damaged.

        `verify` reads all of it once and compares hashes; without, sizes alone are looked at.
        """
        self.folder = Path(folder)
        self._manifest = StoreManifest.read(self.folder)
        self._manifest.check_files(self.folder, hashes=verify)
        self.arrays = map_arrays(self.folder)

    @classmethod
    def build(  # noqa: PLR0913  # all but the first two by keyword
        cls,
        parquet: Path | str | Sequence[Path | str],
        folder: Path | str,
        *,
        columns: PanelColumns | None = None,
        fit_until: date | str | None = None,
        dtype: FeatureType = "float32",
        clip: float = 5.0,
        fit_rows: int = 100_000,
        seed: int = 0,
        like: "PanelStore | None" = None,
        verify: bool = True,
    ) -> "PanelStore":
        """The store of a Parquet file, a folder of them or a list; built once for the same content and options.

        It lies in a folder of its own under `folder`, named by a hash of both. Rows may come in any order. The scaler
        is fitted on rows up to `fit_until` (without it, the first 60 % of the days), on at most `fit_rows` of them,
        drawn by `seed`. Missing features become 0, their median; missing targets stay NaN. `like` takes columns, dtype
        and scaler from a store that exists, for new days: the Parquet must have its features, targets are optional.
        Several processes may build at once. Raises PanelError for what the panel must not have: a key twice or none,
        infinities, a feature without a value, columns that are not there, files that are damaged or change.
        """
        source = ParquetSource.find(parquet)
        if like is not None:
            options = _options_like(source, like, columns=columns, fit_until=fit_until)
        else:
            names = (columns or PanelColumns()).resolved(source.schema(source.files[0]), source=str(source.files[0]))
            options = BuildOptions(
                columns=names,
                dtype=dtype,
                fit_until=None if fit_until is None else date_as_day(fit_until),
                fit_rows=fit_rows,
                clip=clip,
                seed=seed,
            )
        _check_options(options)
        return cls(build_folder(source, Path(folder), options), verify=verify)

    def windows(
        self, length: int, *, span: DaySpan | None = None, cache: SampleCache[PanelSample] | None = None
    ) -> PanelWindows:
        """All windows of `length` rows of one stock that end inside `span`; their rows may begin before it."""
        return PanelWindows(self.arrays, length, span=span, cache=cache)

    def __len__(self) -> int:
        """How many rows there are."""
        return self._manifest.num_rows

    @property
    def codes(self) -> tuple[str, ...]:
        """The stocks, sorted; a batch names them by their place here."""
        return self._manifest.codes

    @property
    def days(self) -> NDArray[np.int32]:
        """Every day of the panel once, in order, counted from 1970-01-01."""
        return np.unique(self.arrays.day_R)

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features, in order."""
        return self._manifest.columns.features

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the targets, in order."""
        return self._manifest.columns.targets

    @property
    def exposures(self) -> tuple[str, ...]:
        """Names of the exposures, in order."""
        return self._manifest.columns.exposures

    @property
    def scaler(self) -> PanelScaler:
        """What the features were scaled by."""
        return self._manifest.scaler

    @property
    def dtype(self) -> FeatureType:
        """The dtype of the features."""
        return self._manifest.dtype

    @property
    def num_bytes(self) -> int:
        """The size on the disk; in memory is what was touched, as far as the operating system keeps it."""
        return sum(self._manifest.sizes().values())

    def check_unseen(self, span: DaySpan) -> None:
        """Raise PanelError where the scaler was fitted on days of `span`, which is to be forecast."""
        if span.first <= self._manifest.fit_until:
            raise PanelError(
                f"the scaler was fitted on days up to {day_as_date(self._manifest.fit_until)}, and {span} is to be "
                "forecast: build the store with an earlier fit_until, or forecast later days"
            )

    @property
    def manifest(self) -> StoreManifest:
        """What store.json says."""
        return self._manifest


def days_and_targets(
    parquet: Path | str | Sequence[Path | str], columns: PanelColumns | None = None
) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """The days of a Parquet panel, once each, and the names of its targets, without decoding it: to split it by time.

    Raises PanelError as `PanelStore.build` does.
    """
    source = ParquetSource.find(parquet)
    names = (columns or PanelColumns()).resolved(source.schema(source.files[0]), source=str(source.files[0]))
    source.check(names)
    return np.unique(read_keys(source.files, names).day_R), names.targets


def _options_like(
    source: ParquetSource, like: PanelStore, *, columns: PanelColumns | None, fit_until: date | str | None
) -> BuildOptions:
    if columns is not None or fit_until is not None:
        raise PanelError("columns or fit_until was given with like, which decides both: leave them out")
    known, names = like.manifest, set(source.schema(source.files[0]).names)
    has_targets = all(target in names for target in known.columns.targets)
    return BuildOptions(
        columns=known.columns if has_targets else known.columns.without_targets(),
        dtype=known.dtype,
        fit_until=known.fit_until,
        clip=known.scaler.clip,
        scaler=known.scaler,
    )


def _check_options(options: BuildOptions) -> None:
    if options.dtype not in ("float32", "bfloat16"):
        raise PanelError(f"got the dtype {options.dtype!r}; features are float32 or bfloat16: choose one")
    if options.fit_rows < 1 or not options.clip > 0.0:
        raise PanelError(f"got fit_rows {options.fit_rows} and clip {options.clip}; both must be above 0")
