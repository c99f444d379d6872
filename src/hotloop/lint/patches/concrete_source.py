"""ConcreteSource: one file as ast for questions, and as libcst's concrete syntax tree for changes."""

import ast
from typing import TypeVar

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from hotloop.lint.patches.edits import NotExact
from hotloop.lint.source_model.source_file import SourceFile

Concrete = TypeVar("Concrete", bound=cst.CSTNode)


class ConcreteSource:
    """One file twice: `file` holds the facts that rules have, `module` the tree that keeps comments and spacing."""

    def __init__(self, file: SourceFile, data: bytes) -> None:
        self.file = file
        wrapper = MetadataWrapper(cst.parse_module(data), unsafe_skip_copy=True)
        self.module = wrapper.module
        self._at: dict[tuple[int, int], list[tuple[cst.CSTNode, tuple[int, int]]]] = {}
        for node, span in wrapper.resolve(PositionProvider).items():
            end = (span.end.line, span.end.column)
            self._at.setdefault((span.start.line, span.start.column), []).append((node, end))
        self._lines = file.text.split("\n")

    def concrete(self, node: ast.expr | ast.stmt, kind: type[Concrete]) -> Concrete:
        """The libcst node of that type which starts where an ast node does (and ends there, for expressions).

        Raises NotExact where there is none, such as for a statement in the same line as its `if`.
        """
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start, end = self._column(node.lineno, node.col_offset), self._column(node.end_lineno, node.end_col_offset)
        for item, until in self._at.get(start, []):
            if isinstance(item, kind) and (isinstance(node, ast.stmt) or until == end):
                return item
        raise NotExact("the code is written in a form that this fix does not handle")

    def _column(self, line: int, offset: int) -> tuple[int, int]:
        """Line and column for libcst, which counts characters, from those of ast, which counts bytes."""
        return line, len(self._lines[line - 1].encode()[:offset].decode())

    def line_of(self, node: ast.stmt) -> cst.SimpleStatementLine:
        """The line of a simple statement. Raises NotExact where it shares the line with another."""
        line = self.concrete(node, cst.SimpleStatementLine)
        if len(line.body) != 1:
            raise NotExact("the statement shares its line with another")
        return line

    def has_comment(self, node: ast.expr | ast.stmt) -> bool:
        """Whether a comment may stand inside a node, or behind it if it is a statement (a `#` in a text counts)."""
        assert node.end_lineno is not None
        end = node.end_lineno if isinstance(node, ast.stmt) else node.end_lineno - 1
        return any("#" in line for line in self._lines[node.lineno - 1 : end])

    def statement(self, text: str) -> cst.BaseStatement:
        """One statement, in the line ends and the indentation of this file."""
        made = cst.parse_statement(text, config=self.module.config_for_parsing)
        assert isinstance(made, cst.BaseStatement)
        return made

    def code(self, node: cst.CSTNode) -> str:
        """A node as text."""
        return self.module.code_for_node(node)
