"""Keeps a benchmark in the history; a history that goes away meanwhile costs no figure."""

from dataclasses import replace

from hotloop.bench.benchmark import Benchmark
from hotloop.bench.measure import outcome
from hotloop.errors import HistoryError
from hotloop.records.history import History


def keep(benchmark: Benchmark, history: History) -> Benchmark:
    """The benchmark, kept in the history; with a note where that refused it."""
    try:
        session = history.start(
            kind="bench", workload=benchmark.title, command=benchmark.command, environment=benchmark.environment
        )
        history.finish_with(session, outcome(benchmark), benchmark.to_data())
    except HistoryError as error:
        return replace(benchmark, notes=(*benchmark.notes, f"this benchmark is not in the history: {error}"))
    return benchmark
