"""The tables of a history, and an engine on a database that holds them in the version this hotloop reads."""

import os
import re
import shutil
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from hotloop.errors import HistoryError

SCHEMA = 2
"""Version of the tables. 1: the first. 2: of a block, `race` is `comparison` and `pair` is `replicate`."""
_DAMAGED = ("malformed", "not a database", "disk I/O error")  # as SQLite says it
_UPGRADES = {
    1: (
        "ALTER TABLE blocks RENAME COLUMN race TO comparison",
        "ALTER TABLE blocks RENAME COLUMN pair TO replicate",
    ),
}
_BUSY_SECONDS = 30.0  # a block is written in well under a millisecond: whoever waits this long waits for a hung process
_ADVISORY_LOCK = 0x686F746C  # "hotl": any number that nobody else takes
_ALLOWED = "sqlite:////absolute/path.db or postgresql+psycopg://user@host/database"
_READS = "name a database that this user may write with --history or HOTLOOP_HISTORY"

metadata = sa.MetaData()
schema_version = sa.Table(
    "schema_version", metadata, sa.Column("version", sa.Integer, primary_key=True, autoincrement=False)
)
sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("started", sa.DateTime(timezone=True), nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("workload", sa.Text, nullable=False),
    sa.Column("command", sa.Text, nullable=False),
    sa.Column("environment", sa.JSON, nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("verdict", sa.String(20)),
    sa.Column("speedup", sa.Float(53)),
    sa.Column("result", sa.JSON(none_as_null=True)),
)
trials = sa.Table(
    "trials",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("session", sa.ForeignKey("sessions.id"), nullable=False, index=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("trial", sa.JSON, nullable=False),
)
blocks = sa.Table(
    "blocks",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("session", sa.ForeignKey("sessions.id"), nullable=False, index=True),
    sa.Column("comparison", sa.Text, nullable=False),
    sa.Column("replicate", sa.Integer, nullable=False),
    sa.Column("round", sa.Integer, nullable=False),
    sa.Column("arm", sa.Text, nullable=False),
    *(sa.Column(samples, sa.JSON, nullable=False) for samples in ("wall", "cpu", "cuda", "losses")),
)


def default_url() -> str:
    """URL of the user's own history, an SQLite file in the data folder of the platform, which is made here.

    Source: XDG base directory specification; a relative XDG_DATA_HOME counts as not set.
    """
    named = Path(os.environ.get("XDG_DATA_HOME", ""))
    root = named if named.is_absolute() else Path.home() / ".local" / "share"
    path = root / "hotloop" / "history.db"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HistoryError(f"cannot make the folder of history {path}: {error.strerror}; {_READS}") from error
    return URL.create("sqlite", database=str(path)).render_as_string()


def connect(url: str) -> sa.Engine:
    """An engine whose database holds our tables, made where it was empty.

    Raises HistoryError where the URL is wrong, the database cannot be used, or another version wrote it.
    """
    engine = _engine(url)
    try:
        with explained(engine, "open"):
            _prepare(engine)
    except HistoryError:
        engine.dispose()
        raise
    return engine


@contextmanager
def explained(engine: sa.Engine, action: str) -> Generator[None]:
    """Turns what the database says into a HistoryError; a password in the URL is not shown."""
    try:
        yield
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        kept = _copy_of_damaged(engine, reason)
        raise HistoryError(
            f"cannot {action} history {engine.url!r}: {reason}; {kept}allowed is {_ALLOWED}; {_READS}"
        ) from error


def _copy_of_damaged(engine: sa.Engine, reason: str) -> str:
    """Keeps a copy of an SQLite file that is damaged, and says where; a copy of the same bytes is kept once."""
    path = Path(engine.url.database or "")
    if not any(word in reason for word in _DAMAGED) or engine.dialect.name != "sqlite" or not path.is_file():
        return ""
    copy = path.with_name(f"{path.name}.damaged-{sha256(path.read_bytes()).hexdigest()[:8]}")
    try:
        if not copy.exists():
            shutil.copyfile(path, copy)
    except OSError as refused:
        return f"the file is damaged, and no copy of it could be kept ({refused.strerror}); "
    return f"the file is damaged and a copy is kept as {copy}: move it away to begin anew; "


def _engine(url: str) -> sa.Engine:
    shown = re.sub(r":[^:/@]*@", ":***@", url)
    try:
        parsed = make_url(url)
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")  # the driver of our extra, whatever SQLAlchemy prefers
        wait = {"timeout": _BUSY_SECONDS} if parsed.get_backend_name() == "sqlite" else {}
        engine = sa.create_engine(parsed, connect_args=wait, hide_parameters=True)
    except (ArgumentError, NoSuchModuleError) as error:
        raise HistoryError(f"cannot read history URL {shown!r}: {error}; allowed is {_ALLOWED}; {_READS}") from error
    except ModuleNotFoundError as error:
        advice = "run pip install 'hotloop[postgres]', or install the driver that the URL names"
        raise HistoryError(f"history {shown!r} needs {error.name}, which is not installed; {advice}") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: sqlite3.Connection, _: Any) -> None:
    connection.isolation_level = None  # sqlite3 would leave CREATE TABLE out of the transaction; _begin_sqlite does not
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")  # in WAL this loses nothing when a process is killed
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: sa.Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))


def _prepare(engine: sa.Engine) -> None:
    """Makes the tables where there are none and brings older ones up to this version; of several processes one does."""
    with engine.connect() as connection:
        version = _version(connection)
    if version is None or version in _UPGRADES:
        with engine.connect().execution_options(begin="BEGIN IMMEDIATE") as connection, connection.begin():
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
            version = _version(connection)
            if version is None:
                metadata.create_all(connection)
                connection.execute(sa.insert(schema_version).values(version=SCHEMA))
                version = SCHEMA
            while version in _UPGRADES:
                for statement in _UPGRADES[version]:
                    connection.exec_driver_sql(statement)
                version += 1
                connection.execute(sa.update(schema_version).values(version=version))
    if version != SCHEMA:
        advice = "read it with the hotloop that wrote it, or name another with --history or HOTLOOP_HISTORY"
        raise HistoryError(f"history {engine.url!r} has schema {version}; this hotloop reads {SCHEMA}; {advice}")


def _version(connection: sa.Connection) -> int | None:
    """The schema version that the database names, None where it is empty of our tables."""
    present = set(sa.inspect(connection).get_table_names())
    if schema_version.name in present:
        return connection.execute(sa.select(schema_version.c.version)).scalar() or 0
    if strangers := sorted(present & set(metadata.tables)):
        names = ", ".join(strangers)
        advice = "name an empty database or schema with --history or HOTLOOP_HISTORY"
        raise HistoryError(
            f"{connection.engine.url!r} holds {names} of another program; a history is ours alone; {advice}"
        )
    return None
