"""Histories and series with levels that are known."""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from hotloop.history.series import FigureSeries, Point
from hotloop.measurement import Environment
from hotloop.records.database import sessions
from hotloop.records.history import History, open_history
from hotloop.verdict import Outcome

START = datetime(2026, 1, 1, tzinfo=UTC)
PLANTED = {50: 1.08, 110: 0.94, 160: 1.05}


def step_times(seed: int, *, planted: bool = True, count: int = 200, noise: float = 0.015) -> list[float]:
    """Step times of so many commits: 20 ms, with noise, single outliers, and the planted changes of level."""
    chance = random.Random(seed)
    level, values = 0.02, []
    for commit in range(count):
        level *= PLANTED.get(commit, 1.0) if planted else 1.0
        outlier = abs(chance.gauss(0.0, 0.15)) if chance.random() < 0.03 else 0.0
        values.append(level * math.exp(chance.gauss(0.0, noise) + outlier))
    return values


def series_of(values: Sequence[float]) -> FigureSeries:
    """A series of these values, a session a day."""
    points = (
        Point(session=number, started=START + timedelta(days=number), revision=f"c{number}", value=value)
        for number, value in enumerate(values)
    )
    return FigureSeries(machine="Example 9000, 2 cores", workload="train.py", metric="step_time", points=tuple(points))


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with open_history(f"sqlite:///{tmp_path / 'history.db'}") as opened:
        yield opened


@pytest.fixture
def add(history: History, cpu_machine: Environment) -> Callable[..., int]:
    """Adds one finished session of `bench` that was started on a day of the year."""

    def session(day: int, step: float, *, workload: str = "bench.toml", cpu: str = "Example 9000") -> int:
        environment = replace(cpu_machine, cpu=cpu, git_revision=f"c{day}")
        number = history.start(kind="bench", workload=workload, command=f"hotloop bench {day}", environment=environment)
        row = {"model": "nets:mlp", "batch": 4, "dtype": "float32", "plan": "nothing", "step_ms": 1e3 * step}
        rest = {"throughput": 4 / step, "peak_memory_bytes": 2**20, "compile_s": 0.0}
        history.finish_with(number, Outcome.PASS, {"schema": 1, "rows": [row | rest]})
        with history.engine.begin() as connection:
            moved = update(sessions).where(sessions.c.id == number).values(started=START + timedelta(days=day))
            connection.execute(moved)
        return number

    return session
