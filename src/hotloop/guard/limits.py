"""Limits: by how much a metric may be worse before it is a regression, and the settings file that holds them."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from hotloop.errors import RevisionError

COUNTS = ("graph_breaks", "recompiles", "host_reads", "operators")
TIMED = ("step_time", "throughput", "peak_memory")
METRICS = (*TIMED, "compile_time", "graph_breaks", "recompiles", "host_reads", "operators", "instructions", "loss")


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A regression must be proven to exceed `relative` and `absolute` both: percentages cry wolf on small figures.

    `absolute` is in the unit of the metric: seconds, bytes, steps a second, counts. A metric passes where a regression
    of `resolution` or more (or one above `absolute`) is excluded. What is neither could not be told.
    """

    relative: float
    absolute: float = 0.0
    resolution: float = 0.0


DEFAULTS: Mapping[str, Limit] = MappingProxyType(
    {
        "step_time": Limit(relative=0.02, absolute=10e-6, resolution=0.05),
        "throughput": Limit(relative=0.02, resolution=0.05),
        "peak_memory": Limit(relative=0.03, absolute=8 * 2**20, resolution=0.05),
        "compile_time": Limit(relative=0.20, absolute=1.0, resolution=0.40),
        "graph_breaks": Limit(relative=0.0),
        "recompiles": Limit(relative=0.0),
        "host_reads": Limit(relative=0.0),
        "loss": Limit(relative=0.01, absolute=1e-6, resolution=0.02),
    }
)
"""Operators and instructions are counted and shown, and gated only where the settings give them a limit: new arithmetic
is no fault."""


@dataclass(frozen=True, kw_only=True)
class GuardSettings:
    """What is measured, and what it is judged by: the settings file of `guard`.

    `steps` are those whose losses, graph breaks and recompiles are compared; `seeds` the most seeds of a loss;
    `allocator` what both sides are timed under, where it is installed.
    """

    limits: Mapping[str, Limit] = field(default_factory=lambda: dict(DEFAULTS))
    metrics: tuple[str, ...] = METRICS
    steps: int = 60
    seeds: int = 6
    module: bool = False
    may_overwrite: tuple[str, ...] = ()
    allocator: Literal["tcmalloc", "system"] = "tcmalloc"

    @staticmethod
    def load(path: Path) -> "GuardSettings":
        """The settings of a TOML file. Raises RevisionError, with what is allowed, where it cannot be read."""
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RevisionError(
                f"cannot read settings {path}: {error}; give a TOML file such as docs/guard.md shows"
            ) from error
        known = {entry.name for entry in fields(GuardSettings)}
        if unknown := sorted(data.keys() - known):
            raise RevisionError(f"{path}: unknown key {unknown[0]!r}; known are {', '.join(sorted(known))}")
        tables = _typed(data.pop("limits", {}), dict, f"{path}: limits")
        _check_names(tables.keys(), path)
        limits = dict(DEFAULTS) | {name: _limit(name, table, path) for name, table in tables.items()}
        values: dict[str, Any] = {}
        for key, value in data.items():
            kind = {"steps": int, "seeds": int, "module": bool, "allocator": str}.get(key, list)
            values[key] = tuple(value) if kind is list else _typed(value, kind, f"{path}: {key}")
        _check_names(values.get("metrics", ()), path)
        found = GuardSettings(limits=limits, **values)
        if found.allocator not in ("tcmalloc", "system"):
            raise RevisionError(f"{path}: got allocator {found.allocator!r}; allowed are tcmalloc and system")
        if found.steps < 10 or found.seeds < 3:
            raise RevisionError(
                f"{path}: got steps {found.steps} and seeds {found.seeds}; allowed are 10 and 3 or more"
            )
        return found


def _typed(value: Any, kind: type, what: str) -> Any:
    if type(value) is not kind:
        raise RevisionError(f"{what} is {value!r}; it must be {'a table' if kind is dict else kind.__name__}")
    return value


def _check_names(names: Any, path: Path) -> None:
    for name in names:
        if name not in METRICS:
            raise RevisionError(f"{path}: unknown metric {name!r}; known are {', '.join(METRICS)}")


def _limit(name: str, table: Any, path: Path) -> Limit:
    known = [entry.name for entry in fields(Limit)]
    values = _typed(table, dict, f"{path}: limits.{name}")
    for key, value in values.items():
        if key not in known or type(value) not in (int, float) or not 0 <= value < float("inf"):
            raise RevisionError(
                f"{path}: limits.{name} has {key} = {value!r}; allowed are {', '.join(known)}, each a number from 0 up "
                "(0.05 is 5 %)"
            )
    found = replace(DEFAULTS.get(name, Limit(relative=0.0)), **{key: float(value) for key, value in values.items()})
    return replace(found, resolution=max(found.resolution, found.relative))
