"""The folder of a run: what happened, what came out, and the checkpoints. Files are whole or not there."""

import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from hotloop.errors import ConfigError
from hotloop.train.finite_json import finite_json
from hotloop.whole_file import write_whole

CONFIG, METRICS, EVENTS = "config_resolved.yaml", "metrics.json", "events.csv"
_LEVELS = ("INFO", "WARNING", "ERROR")


class RunFolder:
    """A folder with config_resolved.yaml, events.csv, metrics.json and checkpoints/best and checkpoints/latest."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"

    @classmethod
    def create(cls, path: Path, config: dict[str, Any]) -> "RunFolder":
        """A new run folder. Raises ConfigError where `path` is a folder with something in it, or a file."""
        if path.is_file() or (path.is_dir() and any(path.iterdir())):
            raise ConfigError(f"{path} is not empty; a run needs a folder of its own: choose another, or --resume it")
        folder = cls(path)
        folder.checkpoints.mkdir(parents=True, exist_ok=True)
        write_whole(path / CONFIG, yaml.safe_dump(config, sort_keys=False, allow_unicode=False))
        return folder

    @classmethod
    def reopen(cls, path: Path, config: dict[str, Any]) -> "RunFolder":
        """The folder of a run that was cut off. Raises ConfigError where it is none, or had another config."""
        file = path / CONFIG
        if not file.is_file():
            raise ConfigError(f"{path} has no {CONFIG}; --resume takes the folder of a run: give its path")
        earlier = yaml.safe_load(file.read_text(encoding="utf-8"))
        if different := sorted(_differences(earlier, config)):
            raise ConfigError(
                f"the config differs from that of {path} at {', '.join(different)}; a run goes on as it began: "
                "give the config, seed and device it was started with"
            )
        return cls(path)

    def log(self, message: str, level: str = "INFO") -> None:
        """Append one line to events.csv, on the disk before this returns."""
        assert level in _LEVELS
        file = self.path / EVENTS
        is_new = not file.exists() or file.stat().st_size == 0
        with file.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            if is_new:
                writer.writerow(["timestamp", "level", "message"])
            writer.writerow([now(), level, message])

    def write_metrics(self, metrics: dict[str, Any]) -> None:
        """Write metrics.json; numbers that are not finite become null."""
        write_whole(
            self.path / METRICS, json.dumps(finite_json(metrics), indent=2, allow_nan=False, default=str) + "\n"
        )


def now() -> str:
    """The time in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _differences(before: Any, after: Any, place: str = "") -> set[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        keys = set(before) | set(after)
        pairs = ((key, f"{place}.{key}" if place else str(key)) for key in keys)
        return {found for key, where in pairs for found in _differences(before.get(key), after.get(key), where)}
    return set() if before == after else {place}
