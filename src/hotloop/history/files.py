"""Sessions in files: JSON lines, CSV and Parquet, one row a session, from which a history is made again whole."""

import csv
import importlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hotloop.errors import HistoryError
from hotloop.records.archive import COLUMNS
from hotloop.whole_file import whole_file

_TEXTS = ("started", "kind", "workload", "command", "state", "verdict")
_DOCUMENTS = ("environment", "result", "trials", "blocks")
_NAMES: tuple[str, ...] = (*COLUMNS, "trials", "blocks")
Record = Mapping[str, Any]


def write_sessions(records: Sequence[Record], path: Path) -> None:
    """Write sessions to a .jsonl, .csv or .parquet file; whole or not at all."""
    write = _format(path)[0]
    try:
        with whole_file(path) as temporary:
            write(records, temporary)
    except OSError as error:
        raise HistoryError(f"cannot write {path}: {error.strerror}; name a file in a folder that is there") from error


def read_sessions(path: Path) -> list[dict[str, Any]]:
    """The sessions in such a file. Raises HistoryError where it is damaged or of another kind."""
    read = _format(path)[1]
    try:
        return read(path)
    except OSError as error:
        raise HistoryError(
            f"cannot read {path}: {error.strerror or error}; give a file that hotloop history --out wrote"
        ) from error
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise HistoryError(f"{path} is damaged: {error}; export it again; nothing was added") from error


def _write_lines(records: Sequence[Record], path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        for record in records:
            file.write(json.dumps(dict(record)) + "\n")


def _read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _write_csv(records: Sequence[Record], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, _NAMES)
        writer.writeheader()
        writer.writerows(map(_flat, records))


def _read_csv(path: Path) -> list[dict[str, Any]]:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # the blocks of a session are one field
    with path.open(encoding="utf-8", newline="") as file:
        return [_deep(row) for row in csv.DictReader(file)]


def _write_parquet(records: Sequence[Record], path: Path) -> None:
    arrow, parquet = _pyarrow()
    columns = [(name, arrow.float64() if name == "speedup" else arrow.string()) for name in _NAMES]
    rows = [_flat(record) for record in records]
    parquet.write_table(arrow.Table.from_pylist(rows, schema=arrow.schema(columns)), path)


def _read_parquet(path: Path) -> list[dict[str, Any]]:
    _, parquet = _pyarrow()
    return [_deep(row) for row in parquet.read_table(path).to_pylist()]


def _pyarrow() -> tuple[Any, Any]:
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ModuleNotFoundError as error:
        raise HistoryError(
            "Parquet is written by pyarrow, which is not installed; run pip install 'hotloop[history]', or name a "
            ".jsonl or .csv file"
        ) from error


_FORMATS: Mapping[str, tuple[Callable[[Sequence[Record], Path], None], Callable[[Path], list[dict[str, Any]]]]] = {
    ".jsonl": (_write_lines, _read_lines),
    ".csv": (_write_csv, _read_csv),
    ".parquet": (_write_parquet, _read_parquet),
}


def _format(path: Path) -> tuple[Callable[[Sequence[Record], Path], None], Callable[[Path], list[dict[str, Any]]]]:
    if path.suffix not in _FORMATS:
        raise HistoryError(f"got {path.name}; a file of sessions ends in {', '.join(_FORMATS)}: name one of them")
    return _FORMATS[path.suffix]


def _flat(record: Record) -> dict[str, Any]:
    """Documents as text, one value a column."""
    return {name: json.dumps(record[name]) if name in _DOCUMENTS else record[name] for name in _NAMES}


def _deep(row: Record) -> dict[str, Any]:
    found: dict[str, Any] = {name: row[name] or None if name == "verdict" else row[name] for name in _TEXTS}
    speedup = row["speedup"]
    found["speedup"] = None if speedup in (None, "") else float(speedup)
    return {**found, **{name: json.loads(row[name]) for name in _DOCUMENTS}}
