"""Whole sessions as plain data, out of a history and into one; and their removal."""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, insert, select

from hotloop.errors import HistoryError
from hotloop.records.database import blocks, explained, sessions, trials
from hotloop.records.history import History

COLUMNS = ("started", "kind", "workload", "command", "environment", "state", "verdict", "speedup", "result")
_PARTS = {"trials": trials, "blocks": blocks}
_LEFT_OUT = ("id", "session")


def session_records(history: History, numbers: Iterable[int]) -> list[dict[str, Any]]:
    """Each session with its trials and blocks; times as ISO text in UTC."""
    found: list[dict[str, Any]] = []
    with explained(history.engine, "read"), history.engine.connect() as connection:
        for number in numbers:
            row = connection.execute(select(sessions).where(sessions.c.id == number)).mappings().one()
            record: dict[str, Any] = {name: row[name] for name in COLUMNS}
            record["started"] = _in_utc(row["started"]).isoformat()
            for part, table in _PARTS.items():
                kept = connection.execute(select(table).where(table.c.session == number).order_by(table.c.id))
                record[part] = [
                    {name: value for name, value in item.items() if name not in _LEFT_OUT} for item in kept.mappings()
                ]
            found.append(record)
    return found


def add_records(history: History, records: Iterable[Mapping[str, Any]]) -> int:
    """Add the sessions that are not there yet, all or none; the number of those added.

    A session is the same where it started at the same moment, for the same workload by the same command.
    """
    added = 0
    with explained(history.engine, "write"), history.engine.begin() as connection:
        rows = connection.execute(select(sessions.c.started, sessions.c.workload, sessions.c.command)).all()
        known = {(_in_utc(row.started), row.workload, row.command) for row in rows}
        for number, record in enumerate(records, start=1):
            session, parts = _read(record, number)
            key = (session["started"], session["workload"], session["command"])
            if key in known:
                continue
            known.add(key)
            key_of = connection.execute(insert(sessions).returning(sessions.c.id), session).scalar_one()
            for part, items in parts.items():
                if items:
                    connection.execute(insert(_PARTS[part]), [{**item, "session": key_of} for item in items])
            added += 1
    return added


def remove_sessions(history: History, numbers: Collection[int]) -> None:
    """Remove sessions with all that belongs to them."""
    with explained(history.engine, "write"), history.engine.begin() as connection:
        for number in numbers:
            for table in _PARTS.values():
                connection.execute(delete(table).where(table.c.session == number))
            connection.execute(delete(sessions).where(sessions.c.id == number))


def _read(record: Mapping[str, Any], number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    missing = [name for name in (*COLUMNS, *_PARTS) if name not in record]
    if missing:
        raise HistoryError(
            f"session {number} of the file lacks {', '.join(missing)}; give a file that hotloop history --out wrote"
        )
    try:
        session = {**{name: record[name] for name in COLUMNS}, "started": datetime.fromisoformat(record["started"])}
    except (TypeError, ValueError) as error:
        raise HistoryError(f"session {number} of the file started at {record['started']!r}: {error}") from error
    return session, {part: record[part] for part in _PARTS}


def _in_utc(time: datetime) -> datetime:
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)  # SQLite drops the zone
