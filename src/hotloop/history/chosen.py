"""Which sessions of a history are meant: by workload, machine, verb and age."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hotloop.errors import HistoryError
from hotloop.history.series import machine_kind
from hotloop.records.history import History, SessionRow


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Parts of names that sessions must have, and the moment since which they were started; None allows all."""

    workload: str | None = None
    machine: str | None = None
    verb: str | None = None
    since: datetime | None = None

    def sessions(self, history: History) -> list[SessionRow]:
        """Newest first."""
        return [row for row in history.sessions(limit=None) if self._fits(row)]

    def _fits(self, row: SessionRow) -> bool:
        return (
            (self.workload is None or self.workload in row.workload)
            and (self.machine is None or self.machine in machine_kind(row.environment))
            and (self.verb is None or self.verb == row.kind)
            and (self.since is None or row.started >= self.since)
        )


def parse_since(text: str, *, now: datetime | None = None) -> datetime:
    """The moment that `30d`, `12h` or an ISO date means. Raises HistoryError for anything else."""
    unit = {"d": "days", "h": "hours"}.get(text[-1:])
    if unit and text[:-1].isdecimal():
        return (now or datetime.now(UTC)) - timedelta(**{unit: int(text[:-1])})
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise HistoryError(f"got {text!r}; a moment reads 30d, 12h or 2026-01-31: give one of these") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def older_than(history: History, days: int, *, now: datetime | None = None) -> list[SessionRow]:
    """Sessions that were started longer ago than so many days."""
    limit = (now or datetime.now(UTC)) - timedelta(days=days)
    return [row for row in history.sessions(limit=None) if row.started < limit]
