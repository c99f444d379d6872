"""Allowances: comments and a file that say why a finding is right where it stands, and which of them are stale."""

import io
import re
import tokenize
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hotloop.errors import SourceError
from hotloop.finding import Finding
from hotloop.lint.rule import Page
from hotloop.lint.source_model.source_file import SourceFile

STALE, UNREASONED = "AL01", "AL02"
PAGES = {
    STALE: Page(
        title="an allowance that allows nothing",
        why="The finding it was written for is gone; left standing, it would hide the next one.",
        cure="Remove the comment or the entry.",
        traps="Allowances for codes that were not selected in this run are not judged.",
    ),
    UNREASONED: Page(
        title="an allowance without a code or a reason",
        why="Without a reason nobody can tell later whether it still holds. It allows nothing.",
        cure="Write `# hotloop: allow SY01 reason=read once by design`.",
    ),
}

_MARK = re.compile(r"#\s*hotloop:\s*allow\b(?P<rest>.*)")
_REST = re.compile(r"\s*(?P<codes>[A-Za-z]+\d+(?:\s*,\s*[A-Za-z]+\d+)*)\s+reason\s*=\s*(?P<reason>\S.*)")


@dataclass(kw_only=True)
class Comment:
    """One allow comment: the line that it stands on and the line that it is about."""

    line: int
    about: int
    codes: tuple[str, ...]
    used: set[str] = field(default_factory=set[str])


@dataclass(kw_only=True)
class Entry:
    """One entry of an allow-list: `path:scope:code`, relative to the list's folder, with owner and reason."""

    path: str
    scope: str
    code: str
    owner: str
    reason: str
    line: int
    used: bool = False


class Comments:
    """The allow comments of one file."""

    def __init__(self, file: SourceFile) -> None:
        self._file = file
        self._comments: list[Comment] = []
        self.findings: list[Finding] = []  # comments that cannot be read
        if "hotloop:" in file.text:
            self._read(file.text)
        self._spans = _spans(file) if self._comments else {}

    def allows(self, finding: Finding) -> bool:
        """Whether a comment on the finding's statement names its code; the comment counts as used."""
        first, last = self._spans.get(finding.line, (finding.line, finding.line))
        for comment in self._comments:
            if finding.code in comment.codes and first <= comment.about <= last:
                comment.used.add(finding.code)
                return True
        return False

    def stale(self, judged: Iterable[str]) -> Iterator[Finding]:
        """A finding for each code of a comment that allowed nothing, among the codes that were looked for."""
        looked_for = set(judged)
        for comment in self._comments:
            for code in comment.codes:
                if code in looked_for and code not in comment.used:
                    yield _finding(STALE, self._file.path, comment.line, f"allows {code}, which is not found here")

    def _read(self, text: str) -> None:
        lines = text.splitlines()
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            found = _MARK.match(token.string) if token.type == tokenize.COMMENT else None
            if found is None:
                continue
            line = token.start[0]
            rest = _REST.fullmatch(found["rest"].rstrip())
            if rest is None:
                said = token.string.strip()
                self.findings.append(_finding(UNREASONED, self._file.path, line, f"`{said}` names no code and reason"))
                continue
            alone = not lines[line - 1][: token.start[1]].strip()
            codes = tuple(code.strip().upper() for code in rest["codes"].split(","))
            self._comments.append(Comment(line=line, about=_next_code(lines, line) if alone else line, codes=codes))


class AllowList:
    """The entries of an allow-list file (TOML)."""

    def __init__(self, path: Path, entries: list[Entry]) -> None:
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
                yield _finding(STALE, str(self._path), entry.line, message)


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


def _entry(table: Any, path: Path, line: int) -> Entry:
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
    return Entry(path=parts[0], scope=parts[1], code=parts[2].upper(), owner=owner, reason=reason, line=line)


def _finding(code: str, path: str, line: int, message: str) -> Finding:
    return Finding(code=code, path=path, line=line, message=message, cure=PAGES[code].cure)


def _next_code(lines: list[str], line: int) -> int:
    """The number of the first line after `line` that holds code."""
    for number in range(line + 1, len(lines) + 1):
        content = lines[number - 1].strip()
        if content and not content.startswith("#"):
            return number
    return line


def _spans(file: SourceFile) -> dict[int, tuple[int, int]]:
    """For each line, the first and last line of the innermost simple statement, or statement head, on it."""
    spans: dict[int, tuple[int, int]] = {}
    for statement in file.statements():
        first, last = statement.lineno, statement.end_lineno or statement.lineno
        body = getattr(statement, "body", None)
        if isinstance(body, list) and body:
            last = max(first, body[0].lineno - 1)
        for line in range(first, last + 1):
            spans[line] = (first, last)
    return spans
