"""History: every session of this user or team, with its raw samples, in SQLite or any database that SQLAlchemy knows.

Each addition is committed at once, so that a process killed at any moment loses at most the block in flight.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from sqlalchemy import Engine, RowMapping, Table, insert, select, update

from hotloop.errors import EvidenceError, HistoryError
from hotloop.measurement import Block, Environment
from hotloop.records.database import blocks, connect, default_url, explained, sessions, trials
from hotloop.records.documents import from_data, read_result, result_data, to_data
from hotloop.trial import Result, Trial
from hotloop.verdict import Outcome

SessionKind = Literal["tune", "prove", "machine", "guard", "bench"]
SessionState = Literal["running", "finished"]
Noun = TypeVar("Noun")
_SAMPLES = ("replicate", "round", "arm", "wall", "cpu", "cuda", "losses")


@dataclass(frozen=True, kw_only=True)
class SessionRow:
    """One session as the history lists it; a session that was killed stays "running".

    `speedup` is the confirmed ratio, None where nothing was confirmed.
    """

    id: int
    started: datetime
    kind: SessionKind
    workload: str
    command: str
    environment: Environment
    state: SessionState
    verdict: Outcome | None
    speedup: float | None


class History(AbstractContextManager["History"]):
    """Sessions, trials and blocks in one database. Every method raises HistoryError where the database refuses."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def start(self, *, kind: SessionKind, workload: str, command: str, environment: Environment) -> int:
        """Number of a new session, in state "running"."""
        row = {"started": datetime.now(UTC), "kind": kind, "workload": workload, "command": command}
        return self._add(sessions, {**row, "environment": to_data(environment), "state": "running"})

    def add_block(self, session: int, comparison: str, block: Block) -> None:
        """Keep one block of the comparison of that title."""
        self._add(blocks, {"session": session, "comparison": comparison, **to_data(block)})

    def add_trial(self, session: int, trial: Trial) -> None:
        """Keep one trial."""
        self._add(trials, {"session": session, "title": trial.title, "trial": to_data(trial)})

    def finish(self, session: int, result: Result) -> None:
        """Keep the result, and call the session finished."""
        speedup = None if result.speedup is None else result.speedup.ratio
        self.finish_with(session, result.verdict, result_data(result), speedup=speedup)

    def finish_with(
        self, session: int, verdict: Outcome, document: Mapping[str, Any], *, speedup: float | None = None
    ) -> None:
        """Keep the document that a session of another kind ended with, and call it finished."""
        row = {"state": "finished", "verdict": verdict.value, "speedup": speedup, "result": document}
        with explained(self._engine, "write"), self._engine.begin() as connection:
            done = connection.execute(update(sessions).where(sessions.c.id == session).values(**_storable(row)))
        if not done.rowcount:
            raise self._unknown(session)

    @property
    def engine(self) -> Engine:
        """The database, for who reads or writes whole sessions."""
        return self._engine

    def sessions(self, limit: int | None = 50) -> list[SessionRow]:
        """The newest sessions, newest first, at most `limit`; all where that is None."""
        columns = [column for column in sessions.c if column is not sessions.c.result]
        query = select(*columns).order_by(sessions.c.id.desc()).limit(limit)
        with explained(self._engine, "read"), self._engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        # SQLite drops the zone, and we only ever write UTC.
        times = [row["started"] if row["started"].tzinfo else row["started"].replace(tzinfo=UTC) for row in rows]
        return [
            self._read(SessionRow, {**row, "started": started.astimezone(UTC)})
            for row, started in zip(rows, times, strict=True)
        ]

    def result(self, session: int) -> Result:
        """What a session found. Raises HistoryError where it never finished."""
        document = self.document(session)
        try:
            return read_result(document)
        except EvidenceError as error:
            raise self._damaged(f"the result of session {session}", error) from error

    def document(self, session: int) -> dict[str, Any]:
        """The document that a session of any kind ended with. Raises HistoryError where it never finished."""
        with explained(self._engine, "read"), self._engine.connect() as connection:
            row = connection.execute(select(sessions.c.result).where(sessions.c.id == session)).one_or_none()
        if row is None:
            raise self._unknown(session)
        if row.result is None:
            advice = "wait for it, or measure again where it was killed"
            raise HistoryError(f"session {session} has no result; only a finished session has one; {advice}")
        return row.result

    def blocks(self, session: int) -> dict[str, tuple[Block, ...]]:
        """Blocks of a session by comparison, in the order in which they were taken; nothing of an unknown session."""
        found: dict[str, list[Block]] = {}
        for row in self._of(blocks, session):
            data = {name: row[name] for name in _SAMPLES}
            found.setdefault(row["comparison"], []).append(self._read(Block, data))
        return {title: tuple(items) for title, items in found.items()}

    def trials(self, session: int) -> tuple[Trial, ...]:
        """Trials of a session in the order in which they were made, those of a killed session too."""
        return tuple(self._read(Trial, row["trial"]) for row in self._of(trials, session))

    def _add(self, table: Table, row: Mapping[str, Any]) -> int:
        with explained(self._engine, "write"), self._engine.begin() as connection:
            return int(connection.execute(insert(table).returning(table.c.id), _storable(row)).scalar_one())

    def _of(self, table: Table, session: int) -> Sequence[RowMapping]:
        query = select(table).where(table.c.session == session).order_by(table.c.id)
        with explained(self._engine, "read"), self._engine.connect() as connection:
            return connection.execute(query).mappings().all()

    def _read(self, kind: type[Noun], data: Any) -> Noun:
        try:
            return from_data(kind, data)
        except ValueError as error:
            raise self._damaged(f"a {kind.__name__}", error) from error

    def _damaged(self, what: str, error: Exception) -> HistoryError:
        advice = "restore the database from a copy, or name another with --history or HOTLOOP_HISTORY"
        return HistoryError(f"{what} in history {self._engine.url!r} is damaged: {error}; {advice}")

    def _unknown(self, session: int) -> HistoryError:
        known = ", ".join(str(row.id) for row in self.sessions(limit=10)) or "none"
        return HistoryError(
            f"history {self._engine.url!r} holds no session {session}; newest are: {known}; name one of them"
        )


def open_history(url: str | None = None) -> History:
    """The history at `url`, else at HOTLOOP_HISTORY, else the user's own; made where there is none yet."""
    return History(connect(url or os.environ.get("HOTLOOP_HISTORY") or default_url()))


def _storable(value: Any) -> Any:
    """`value` with what no database takes (NUL, bytes of file names that are not UTF-8) spelled with backslashes."""
    if isinstance(value, Mapping):
        return {_storable(key): _storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8").replace("\x00", "\\x00")
    return value
