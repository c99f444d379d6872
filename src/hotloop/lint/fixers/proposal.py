"""Proposes patches: for each file with findings that have a fixer, the file with all of them cured that can be."""

import importlib
import importlib.util
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotloop.errors import SourceError
from hotloop.finding import Finding
from hotloop.lint.engine import line_of
from hotloop.lint.fixers.patch import Left, Patch
from hotloop.lint.source import read_source
from hotloop.lint.words import last_name

if TYPE_CHECKING:
    from hotloop.lint.fixers.concrete import Source

_HERE = "hotloop.lint.fixers"


def fixable(code: str) -> bool:
    """Whether there is a fixer for a code; nothing is imported."""
    return importlib.util.find_spec(f"{_HERE}.{code.lower()}") is not None and code[-1:].isdigit()


def propose(findings: Iterable[Finding]) -> list[Patch]:
    """One patch for each file that has findings with a fixer, in the order of their first finding.

    The findings must be those of the files as they are now. What is not fixed stands in `Patch.left` with the reason.
    Raises SourceError where libcst is missing or a file cannot be read.
    """
    by_path: dict[str, list[Finding]] = {}
    for finding in findings:
        if fixable(finding.code):
            by_path.setdefault(finding.path, []).append(finding)
    if by_path and importlib.util.find_spec("libcst") is None:
        raise SourceError("--fix needs libcst, which is not installed; run: pip install 'hotloop[lint]'")
    return [_patch(path, found) for path, found in by_path.items()]


def _patch(path: str, findings: list[Finding]) -> Patch:
    from hotloop.lint.fixers.concrete import Edits, NotExact, Source, changed

    file = read_source(Path(path))
    data = Path(path).read_bytes()
    source = Source(file, data)
    every = Edits(subject=file.tree)
    cured: set[tuple[str, Any]] = set()
    fixed: list[Finding] = []
    left: list[Left] = []
    for finding in findings:
        try:
            edits = _edits(finding, source)
            if (finding.code, edits.subject) not in cured:
                every.add(edits)
        except NotExact as error:
            left.append(Left(finding=finding, reason=str(error)))
            continue
        cured.add((finding.code, edits.subject))
        fixed.append(finding)
    after = changed(source.module, every).bytes if fixed else data
    encoding = source.module.encoding
    return Patch(path=path, before=data, after=after, encoding=encoding, fixed=tuple(fixed), left=tuple(left))


def _edits(finding: Finding, source: "Source") -> Any:
    from hotloop.lint.fixers.concrete import NotExact

    fixer = _fixer(finding.code)
    for node in source.file.all(fixer.node):
        is_there = line_of(node) == finding.line and node.col_offset == finding.column
        if is_there and (not fixer.calls or last_name(node.func) in fixer.calls):
            return fixer.edits(node, source)
    raise NotExact("the code is written in a form that this fix does not handle")


def _fixer(code: str) -> Any:
    name = code.lower()
    module = importlib.import_module(f"{_HERE}.{name}")
    kinds = (value for value in vars(module).values() if getattr(value, "name", None) == name)
    return next(kinds)()
