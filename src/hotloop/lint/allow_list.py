"""AllowList: a TOML file that says why findings are right where they stand."""

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hotloop.errors import SourceError
from hotloop.finding import Finding
from hotloop.lint.allowances import STALE, allowance_finding


@dataclass(kw_only=True)
class AllowListEntry:
    """One entry of an allow-list: `path:scope:code`, relative to the list's folder, with owner and reason."""

    path: str
    scope: str
    code: str
    owner: str
    reason: str
    line: int
    used: bool = False


class AllowList:
    """The entries of an allow-list file (TOML)."""

    def __init__(self, path: Path, entries: list[AllowListEntry]) -> None:
        self._path = path
        self._root = path.parent.resolve()
        self._entries = entries

    def allows(self, finding: Finding) -> bool:
        """Whether an entry names the finding's file, scope and code; the entry counts as used."""
        for entry in self._entries:
            same = entry.code == finding.code and entry.scope == finding.evidence.get("scope", "")
            if same and (self._root / entry.path) == Path(finding.path).resolve():
                entry.used = True
                return True
        return False

    def stale(self, judged: Iterable[str], linted: Iterable[str]) -> Iterator[Finding]:
        """A finding for each entry that allowed nothing, of those whose file was linted or is gone."""
        looked_for, seen = set(judged), {Path(path).resolve() for path in linted}
        for entry in self._entries:
            where = self._root / entry.path
            if entry.code in looked_for and not entry.used and (where in seen or not where.exists()):
                key = f"{entry.path}:{entry.scope}:{entry.code}"
                message = f"allows {key} ({entry.owner}: {entry.reason}), which is not found"
                yield allowance_finding(STALE, str(self._path), entry.line, message)


def load_allow_list(path: Path) -> AllowList:
    """The entries of a file: `[[allow]]` tables with key "path:scope:code", owner and reason. Raises SourceError."""
    try:
        text = path.read_text(encoding="utf-8")
        tables = tomllib.loads(text).get("allow", [])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SourceError(
            f"cannot read the allow-list {path}: {error}; give a TOML file with [[allow]] tables"
        ) from None
    if not isinstance(tables, list):
        raise SourceError(f"{path}: `allow` must be a list of tables; write each entry under [[allow]]")
    starts = [number for number, line in enumerate(text.splitlines(), 1) if line.strip().startswith("[[allow]]")]
    starts += [1] * (len(tables) - len(starts))
    return AllowList(path, [_entry(table, path, line) for table, line in zip(tables, starts, strict=False)])


def _entry(table: Any, path: Path, line: int) -> AllowListEntry:
    wanted = ("key", "owner", "reason")
    given = table if isinstance(table, dict) else {}
    values = [given.get(name) for name in wanted]
    if set(given) != set(wanted) or not all(isinstance(value, str) and value.strip() for value in values):
        raise SourceError(
            f"{path}:{line}: an entry has {sorted(given)}; it needs key, owner and reason, all of them text"
        )
    parts = str(given["key"]).rsplit(":", 2)
    if len(parts) != 3 or not parts[0] or not parts[2]:
        raise SourceError(
            f'{path}:{line}: key {given["key"]!r} is not path:scope:code; write "train.py:Trainer.fit:SY01"'
        )
    owner, reason = str(given["owner"]), str(given["reason"])
    return AllowListEntry(path=parts[0], scope=parts[1], code=parts[2].upper(), owner=owner, reason=reason, line=line)
