"""Series in the form that apache-otava reads: a CSV file for each, and the configuration that names them."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from hotloop.errors import HistoryError
from hotloop.history.series import FigureSeries
from hotloop.whole_file import whole_file, write_whole

_HIGHER_IS_BETTER = ("throughput", "speedup")


def write_otava(series: Sequence[FigureSeries], path: Path) -> list[str]:
    """Write a configuration to `path` and one CSV file beside it for each series; the names of its tests, in order.

    `OTAVA_CONFIG=PATH otava analyze NAME` looks for changes by another method than `hotloop history`. Each file is
    written whole; a configuration that is there already is refused with HistoryError.
    """
    if path.exists():
        raise HistoryError(f"{path} is there already; name another file, or remove it")
    tests: dict[str, Any] = {}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for found in series:
            name = _test_name(found, tests)
            file = (path.parent / f"{name}.csv").resolve()
            _write_csv(found, file)
            direction = 1 if found.metric in _HIGHER_IS_BETTER else -1
            tests[name] = {
                "type": "csv",
                "file": str(file),
                "time_column": "time",
                "attributes": ["commit", "session"],
                "metrics": {found.metric: {"column": found.metric, "direction": direction, "scale": 1}},
                "csv_options": {"delimiter": ",", "quote_char": '"'},
            }
        write_whole(path, yaml.safe_dump({"tests": tests}, sort_keys=False))
    except OSError as error:
        raise HistoryError(
            f"cannot write {path}: {error.strerror}; name a file in a folder that can be written"
        ) from error
    return list(tests)


def _write_csv(series: FigureSeries, path: Path) -> None:
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["time", "commit", "session", series.metric])
        for point in series.points:
            writer.writerow([point.started.isoformat(), point.revision, point.session, repr(point.value)])


def _test_name(series: FigureSeries, taken: dict[str, Any]) -> str:
    """Workload, machine and metric in letters that a file name may have, numbered where two are the same."""
    parts = (series.workload, series.machine, series.metric)
    name = ".".join(re.sub(r"[^A-Za-z0-9]+", "_", part).strip("_") for part in parts)
    number = sum(other == name or other.startswith(f"{name}.") for other in taken)
    return f"{name}.{number + 1}" if number else name
