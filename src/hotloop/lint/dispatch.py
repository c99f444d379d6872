"""Runs rules over files: each node is shown once to the rules that asked for its type or its called name."""

import ast
from collections.abc import Iterable, Iterator
from types import MappingProxyType

from hotloop.finding import Finding
from hotloop.lint.rule import Hit, Rule
from hotloop.lint.source_model.source_file import SourceFile


class Dispatch:
    """Which rules want which nodes; made once for any number of files."""

    def __init__(self, chosen: Iterable[Rule]) -> None:
        self._by_type: dict[type[ast.AST], list[Rule]] = {}
        self._by_call: dict[str, list[Rule]] = {}
        for rule in chosen:
            for kind in rule.nodes:
                self._by_type.setdefault(kind, []).append(rule)
            for name in rule.calls:
                self._by_call.setdefault(name, []).append(rule)

    def findings(self, file: SourceFile) -> list[Finding]:
        """What the rules find in one file, by line; one finding for each code, line and column."""
        found: dict[tuple[int, int, str], Finding] = {}
        for rule, node in self._shown(file):
            if rule.hot_only and file.hot(node) is None:
                continue
            for hit in rule.check(node, file):
                finding = _finding(rule, hit, file)
                found.setdefault((finding.line, finding.column, finding.code), finding)
        return [found[key] for key in sorted(found)]

    def _shown(self, file: SourceFile) -> Iterator[tuple[Rule, ast.AST]]:
        for kind, interested in self._by_type.items():
            for node in file.all(kind):
                for rule in interested:
                    yield rule, node
        for name, interested in self._by_call.items():
            for call in file.calls(name):
                for rule in interested:
                    if ast.Call not in rule.nodes:
                        yield rule, call


def _finding(rule: Rule, hit: Hit, file: SourceFile) -> Finding:
    return Finding(
        code=rule.code,
        path=file.path,
        line=line_of(hit.node),
        column=hit.node.col_offset,
        message=hit.message,
        cure=hit.cure or rule.page.cure,
        transform=rule.page.transform,
        evidence=MappingProxyType({"scope": file.place(hit.node).scope.qualname}),
    )


def line_of(node: ast.expr | ast.stmt) -> int:
    """The line that a traceback names for a node: of the method's name where a chain of calls has several lines."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.end_lineno or node.lineno
    return node.lineno
