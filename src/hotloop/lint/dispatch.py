"""Runs rules over files: each node is given once to the rules that asked for its type or its called name."""

import ast
from collections.abc import Iterable, Iterator
from types import MappingProxyType

from hotloop.finding import Finding
from hotloop.lint.rule import AnyRule, Violation
from hotloop.lint.source_model.source_file import SourceFile


class Dispatch:
    """Which rules want which nodes; made once for any number of files."""

    def __init__(self, chosen: Iterable[AnyRule]) -> None:
        self._by_type: dict[type[ast.AST], list[AnyRule]] = {}
        self._by_call: dict[str, list[AnyRule]] = {}
        self.codes: set[str] = set()
        for rule in chosen:
            self.codes.add(rule.code)
            for kind in rule.nodes:
                self._by_type.setdefault(kind, []).append(rule)
            for name in rule.calls:
                self._by_call.setdefault(name, []).append(rule)

    def findings(self, file: SourceFile) -> list[Finding]:
        """What the rules find in one file, by line; one finding for each code, line and column."""
        found: dict[tuple[int, int, str], Finding] = {}
        for rule, node in self._given(file):
            if rule.hot_only and file.hot(node) is None:
                continue
            for violation in rule.check(node, file):
                finding = _finding(rule, violation, file)
                found.setdefault((finding.line, finding.column, finding.code), finding)
        return [found[key] for key in sorted(found)]

    def _given(self, file: SourceFile) -> Iterator[tuple[AnyRule, ast.AST]]:
        for kind, interested in self._by_type.items():
            for node in file.all(kind):
                for rule in interested:
                    yield rule, node
        for name, interested in self._by_call.items():
            for call in file.calls(name):
                for rule in interested:
                    if ast.Call not in rule.nodes:
                        yield rule, call


def _finding(rule: AnyRule, violation: Violation, file: SourceFile) -> Finding:
    return Finding(
        code=rule.code,
        path=file.path,
        line=line_of(violation.node),
        column=violation.node.col_offset,
        message=violation.message,
        cure=rule.doc.cure,
        transform=rule.doc.transform,
        evidence=MappingProxyType({"scope": file.position(violation.node).scope.qualname}),
    )


def line_of(node: ast.expr | ast.stmt) -> int:
    """The line that a traceback names for a node: of the method's name where a chain of calls has several lines."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.end_lineno or node.lineno
    return node.lineno
