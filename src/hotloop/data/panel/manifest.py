"""What a store says of itself, in store.json: columns, shapes, scaler, and the hash of each of its files.

The format has a version. Version 1: features.bin (rows x features), targets.bin and exposures.bin (float32), day.bin
(int32), first.bin (int64), row by row, in the byte order of the machine.
"""

import hashlib
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from hotloop.data.panel.columns import ResolvedColumns
from hotloop.data.panel.scaler import PanelScaler
from hotloop.data.panel.source import file_digest
from hotloop.errors import PanelError
from hotloop.whole_file import write_whole

MANIFEST, SCHEMA = "store.json", 1
FeatureType = Literal["float32", "bfloat16"]
ITEM_BYTES = {"float32": 4, "bfloat16": 2}


@dataclass(frozen=True, kw_only=True)
class StoreManifest:
    """`fit_until` is the last day (from 1970-01-01) that the scaler saw; `digests` are those of the files."""

    key: str
    columns: ResolvedColumns
    dtype: FeatureType
    num_rows: int
    codes: tuple[str, ...]
    scaler: PanelScaler
    fit_until: int
    digests: dict[str, str]

    def sizes(self) -> dict[str, int]:
        """How many bytes each file has."""
        columns = self.columns
        return {
            "features.bin": self.num_rows * len(columns.features) * ITEM_BYTES[self.dtype],
            "targets.bin": self.num_rows * len(columns.targets) * 4,
            "exposures.bin": self.num_rows * len(columns.exposures) * 4,
            "day.bin": self.num_rows * 4,
            "first.bin": (len(self.codes) + 1) * 8,
        }

    def write(self, folder: Path) -> None:
        """Write store.json, whole."""
        data = {"schema": SCHEMA, "byteorder": sys.byteorder, **asdict(self)}
        write_whole(folder / MANIFEST, json.dumps({**data, "digest": _digest(data)}, indent=1) + "\n")

    @classmethod
    def read(cls, folder: Path) -> "StoreManifest":
        """What stands in store.json. Raises PanelError where it is missing, damaged or of another version."""
        try:
            data: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise PanelError(
                f"{folder} has no {MANIFEST}; that is no store: build one with PanelStore.build"
            ) from error
        except ValueError as error:
            raise PanelError(f"{folder / MANIFEST} is damaged ({error}); remove the folder and build again") from error
        if data.pop("digest", None) != _digest(data):
            raise PanelError(f"{folder / MANIFEST} is damaged (its hash differs); remove the folder and build it again")
        version = data.pop("schema", None), data.pop("byteorder", None)
        if version != (SCHEMA, sys.byteorder):
            raise PanelError(
                f"{folder} is of version and byte order {version}; this is {(SCHEMA, sys.byteorder)}: build it again"
            )
        try:
            columns = ResolvedColumns(**_tuples(data.pop("columns")))
            scaler = PanelScaler(**_tuples(data.pop("scaler")))
            return cls(columns=columns, scaler=scaler, **_tuples(data))
        except (KeyError, TypeError) as error:
            raise PanelError(f"{folder / MANIFEST} is damaged ({error}); remove the folder and build again") from error

    def check_files(self, folder: Path, *, hashes: bool) -> None:
        """Raise PanelError where a file is missing, has another size or, with `hashes`, another content."""
        for name, size in self.sizes().items():
            file = folder / name
            found = file.stat().st_size if file.is_file() else None
            if found != size:
                raise PanelError(
                    f"{file} has {found} bytes where {size} were written; the store is damaged: remove {folder} and "
                    "build it again"
                )
            if hashes and file_digest(file) != self.digests[name]:
                raise PanelError(
                    f"{file} is not what was written (its hash differs); the store is damaged: remove {folder} and "
                    "build it again"
                )


def _digest(data: dict[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(data, sort_keys=True).encode(), digest_size=16).hexdigest()


def _tuples(data: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
