"""Which columns of a Parquet panel are what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from hotloop.errors import PanelError

TARGET_PREFIX, EXPOSURE_PREFIX = "target_", "exposure_"


@dataclass(frozen=True, kw_only=True)
class PanelColumns:
    """Names of columns: `code` of a stock and `date` of a day are the key of a row.

    None takes what begins with target_ for `targets`, with exposure_ for `exposures` (to factors that a forecast should
    not load on, kept unscaled), and every other number or boolean for `features`.
    """

    code: str = "code"
    date: str = "date"
    features: tuple[str, ...] | None = None
    targets: tuple[str, ...] | None = None
    exposures: tuple[str, ...] | None = None

    def resolved(self, schema: pa.Schema, *, source: str) -> "ResolvedColumns":
        """The names, each decided. Raises PanelError for columns that `schema` lacks or that hold no numbers."""
        types: dict[str, pa.DataType] = dict(zip(schema.names, schema.types, strict=True))
        targets = self.targets
        if targets is None:
            targets = tuple(name for name in types if name.startswith(TARGET_PREFIX))
        exposures = self.exposures
        if exposures is None:
            exposures = tuple(name for name in types if name.startswith(EXPOSURE_PREFIX))
        features = self.features
        if features is None:
            taken = {self.code, self.date, *targets, *exposures}
            features = tuple(name for name, kind in types.items() if name not in taken and _is_number(kind))
        names = ResolvedColumns(code=self.code, date=self.date, features=features, targets=targets, exposures=exposures)
        names.check(types, source=source)
        return names


@dataclass(frozen=True, kw_only=True)
class ResolvedColumns:
    """The columns of a store, in its order."""

    code: str
    date: str
    features: tuple[str, ...]
    targets: tuple[str, ...]
    exposures: tuple[str, ...]

    @property
    def numbers(self) -> tuple[str, ...]:
        """Every column that holds numbers, features first."""
        return (*self.features, *self.targets, *self.exposures)

    def without_targets(self) -> "ResolvedColumns":
        """The same where nothing is known of the future yet."""
        return replace(self, targets=())

    def check(self, types: Mapping[str, pa.DataType], *, source: str) -> None:
        """Raise PanelError unless the columns of `source`, by name, serve."""
        missing = [name for name in (self.code, self.date, *self.numbers) if name not in types]
        if missing:
            raise PanelError(
                f"{source} lacks the columns {shortened(missing)}; a panel needs {self.code}, {self.date} and every "
                "feature, target and exposure that was named: add them, or name others with PanelColumns"
            )
        texts = [name for name in self.numbers if not _is_number(types[name])]
        if texts:
            raise PanelError(
                f"{source}: {shortened([f'{name} ({types[name]})' for name in texts])} hold no numbers; features, "
                "targets and exposures are floats, integers or booleans: cast them, or leave them out"
            )
        if not self.features:
            raise PanelError(
                f"{source} has no feature; at least one column of numbers besides {self.code}, {self.date} and the "
                "targets is needed: add one"
            )
        names = self.numbers
        if len(set(names)) < len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise PanelError(f"{shortened(twice)} are named twice; a column has one use: name each once")


def shortened(names: Sequence[str], most: int = 5) -> str:
    """The first names, and how many more there are."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def names_where(names: Sequence[str], is_so: Any) -> list[str]:
    """The names of the columns for which the booleans `is_so` are true."""
    return [names[index] for index in np.flatnonzero(is_so).tolist()]


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)
