"""AllowComments: the comments of one file that say why a finding is right where it stands."""

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from hotloop.finding import Finding
from hotloop.lint.allowances import STALE, UNREASONED, allowance_finding
from hotloop.lint.source_model.source_file import SourceFile

_MARK = re.compile(r"#\s*hotloop:\s*allow\b(?P<rest>.*)")
_REST = re.compile(r"\s*(?P<codes>[A-Za-z]+\d+(?:\s*,\s*[A-Za-z]+\d+)*)\s+reason\s*=\s*(?P<reason>\S.*)")


@dataclass(kw_only=True)
class AllowComment:
    """One allow comment: the line that it stands on and the line that it is about."""

    line: int
    about: int
    codes: tuple[str, ...]
    used: set[str] = field(default_factory=set[str])


class AllowComments:
    """The allow comments of one file."""

    def __init__(self, file: SourceFile) -> None:
        self._file = file
        self._comments: list[AllowComment] = []
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
                    yield allowance_finding(
                        STALE, self._file.path, comment.line, f"allows {code}, which is not found here"
                    )

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
                self.findings.append(
                    allowance_finding(UNREASONED, self._file.path, line, f"`{said}` names no code and reason")
                )
                continue
            alone = not lines[line - 1][: token.start[1]].strip()
            below = enumerate(lines[line:] if alone else [], line + 1)
            about = next((number for number, text in below if text.strip() and text.lstrip()[0] != "#"), line)
            codes = tuple(code.strip().upper() for code in rest["codes"].split(","))
            self._comments.append(AllowComment(line=line, about=about, codes=codes))


def _spans(file: SourceFile) -> dict[int, tuple[int, int]]:
    """For each line, the first and last line of the innermost simple statement, or statement head, on it."""
    spans: dict[int, tuple[int, int]] = {}
    for statement in file.within(file.tree, ast.stmt):
        first, last = statement.lineno, statement.end_lineno or statement.lineno
        body = getattr(statement, "body", None)
        if isinstance(body, list) and body:
            last = max(first, body[0].lineno - 1)
        for line in range(first, last + 1):
            spans[line] = (first, last)
    return spans
