"""Proposes patches: for each file with findings that have a fixer, the file with all of them cured that can be."""

import ast
import importlib
import importlib.util
import pkgutil
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotloop.errors import SourceError
from hotloop.finding import Finding
from hotloop.lint import fixers
from hotloop.lint.catalogue import catalogue
from hotloop.lint.dispatch import line_of
from hotloop.lint.patches.patch import Patch, Unfixed
from hotloop.lint.source_model.expressions import last_name
from hotloop.lint.source_model.source_file import read_source

if TYPE_CHECKING:
    from hotloop.lint.patches.concrete_source import ConcreteSource
    from hotloop.lint.patches.edits import Edits
    from hotloop.lint.patches.fixer import Fixer


def fixable(code: str) -> bool:
    """Whether there is a fixer for a code; none is imported."""
    return code in _modules()


def propose_patches(findings: Iterable[Finding]) -> list[Patch]:
    """One patch for each file that has findings with a fixer, in the order of their first finding.

    The findings must be those of the files as they are now. What is not fixed is in `Patch.unfixed` with the reason.
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
    from hotloop.lint.patches.concrete_source import ConcreteSource
    from hotloop.lint.patches.edits import Edits, NotExact, apply_edits

    file = read_source(Path(path))
    data = Path(path).read_bytes()
    source = ConcreteSource(file, data)
    every = Edits(subject=file.tree)
    cured: set[tuple[str, ast.AST]] = set()
    fixed: list[Finding] = []
    unfixed: list[Unfixed] = []
    for finding in findings:
        try:
            edits = _edits(finding, source)
            if (finding.code, edits.subject) not in cured:
                every.add(edits)
        except NotExact as error:
            unfixed.append(Unfixed(finding=finding, reason=str(error)))
            continue
        cured.add((finding.code, edits.subject))
        fixed.append(finding)
    return Patch(
        path=path,
        before=data,
        after=apply_edits(source.module, every).bytes if fixed else data,
        encoding=source.module.encoding,
        fixed=tuple(fixed),
        unfixed=tuple(unfixed),
    )


def _edits(finding: Finding, source: "ConcreteSource") -> "Edits":
    from hotloop.lint.patches.edits import NotExact

    module = importlib.import_module(_modules()[finding.code])
    kinds = (value for value in vars(module).values() if getattr(value, "code", None) == finding.code)
    fixer: Fixer[Any] = next(kinds)()
    for node in source.file.all(fixer.node):
        if not isinstance(node, (ast.expr, ast.stmt)):
            continue
        if isinstance(node, ast.Call) and fixer.calls and last_name(node.func) not in fixer.calls:
            continue
        if line_of(node) == finding.line and node.col_offset == finding.column:
            return fixer.edits(node, source)
    raise NotExact("the code is written in a form that this fix does not handle")


@lru_cache
def _modules() -> dict[str, str]:
    """The module of each fixer by the code of its rule, whose name it has."""
    named = {module.name for module in pkgutil.iter_modules(fixers.__path__)}
    return {entry.code: f"{fixers.__name__}.{entry.name}" for entry in catalogue() if entry.name in named}
