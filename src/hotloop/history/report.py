"""What `hotloop history` found: sessions and series with their changes, as one document."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from hotloop.errors import HistoryError
from hotloop.history.changes import find_changes
from hotloop.history.chosen import Chosen
from hotloop.history.series import FigureSeries, machine_kind, read_series
from hotloop.records.documents import to_data
from hotloop.records.history import History, SessionRow


def history_document(
    history: History, chosen: Chosen, *, metric: str | None = None, with_changes: bool = True
) -> dict[str, Any]:
    """The document of `--json`; a note where changes were not looked for."""
    rows = chosen.sessions(history)
    series = read_series(history, rows, metric=metric)
    notes: list[str] = []
    changes: Sequence[Sequence[Any]] = [[] for _ in series]
    if with_changes:
        try:
            changes = [find_changes(one) for one in series]
        except HistoryError as error:
            notes.append(f"changes were not looked for: {error}")
    return {
        "schema": 1,
        "sessions": [_session(row) for row in rows],
        "series": [_series(one, found) for one, found in zip(series, changes, strict=True)],
        "notes": notes,
    }


def _session(row: SessionRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "started": row.started.isoformat(),
        "kind": row.kind,
        "workload": row.workload,
        "machine": machine_kind(row.environment),
        "revision": row.environment.git_revision,
        "state": row.state,
        "verdict": None if row.verdict is None else row.verdict.value,
        "speedup": to_data(row.speedup),
        "command": row.command,
    }


def _series(one: FigureSeries, changes: Sequence[Any]) -> dict[str, Any]:
    points = [{**asdict(point), "started": point.started.isoformat()} for point in one.points]
    return {
        "machine": one.machine,
        "workload": one.workload,
        "metric": one.metric,
        "points": points,
        "changes": [asdict(change) for change in changes],
    }
