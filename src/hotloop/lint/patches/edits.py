"""Source: one file as ast for questions and as libcst for changes, and the changes that fixers ask for."""

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from hotloop.lint.source_model.source_file import SourceFile

Concrete = TypeVar("Concrete", bound=cst.CSTNode)
Make = Callable[[Any], cst.CSTNode]
Around = dict[cst.CSTNode, list[cst.BaseStatement]]


class NotExact(Exception):
    """The fix could change what the program computes, or the code has a form that is not handled; says which."""


@dataclass(kw_only=True)
class Edits:
    """Changes to one tree. `subject` tells two findings that one change cures from two changes of the same code.

    `replace` maps a node to what makes its successor, given the node with the changes below it made. `before` and
    `after` put statements around a statement; `remove` deletes one. `imports` are pairs of module and name ("" for
    the module itself).
    """

    subject: ast.AST
    replace: dict[cst.CSTNode, Make] = field(default_factory=dict[cst.CSTNode, Make])
    before: Around = field(default_factory=Around)
    after: Around = field(default_factory=Around)
    remove: set[cst.CSTNode] = field(default_factory=set[cst.CSTNode])
    imports: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])

    def add(self, other: "Edits") -> None:
        """Take in the changes of another. Raises NotExact where both change the same node."""
        if (set(self.replace) | self.remove) & (set(other.replace) | other.remove):
            raise NotExact("another fix changes the same code; run the command again after applying this one")
        self.replace |= other.replace
        self.remove |= other.remove
        self.imports |= other.imports
        for mine, theirs in ((self.before, other.before), (self.after, other.after)):
            for node, statements in theirs.items():
                mine[node] = [*mine.get(node, []), *statements]


class Source:
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
        """A place of ast, which counts bytes, as one of libcst, which counts characters."""
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


def changed(module: cst.Module, edits: Edits) -> cst.Module:
    """The tree with all edits made and the imports added that they need."""
    done = module.visit(_Change(edits))
    assert isinstance(done, cst.Module)
    return _with_imports(done, sorted(edits.imports))


class _Change(cst.CSTTransformer):
    def __init__(self, edits: Edits) -> None:
        super().__init__()
        self._edits = edits

    def on_leave(self, original_node: Any, updated_node: Any) -> Any:
        edits = self._edits
        if original_node in edits.remove:
            return cst.RemovalSentinel.REMOVE
        make = edits.replace.get(original_node)
        node = make(updated_node) if make is not None else updated_node
        before, after = edits.before.get(original_node, []), edits.after.get(original_node, [])
        return cst.FlattenSentinel([*before, node, *after]) if before or after else node


def _with_imports(module: cst.Module, wanted: Sequence[tuple[str, str]]) -> cst.Module:
    from libcst.codemod import CodemodContext
    from libcst.codemod.visitors import AddImportsVisitor

    context = CodemodContext()
    for source, name in wanted:
        placed = None if name else _with_module(module, source)
        if placed is None:
            AddImportsVisitor.add_needed_import(context, source, name or None)
        else:
            module = placed
    return AddImportsVisitor(context).transform_module(module)


def _with_module(module: cst.Module, name: str) -> cst.Module | None:
    """The module with `import name` among the plain imports of its first block, sorted; None where it has none."""
    imported = [_imported(item) for item in module.body]
    if name in imported:
        return module
    place = next((index for index, found in enumerate(imported) if found), None)
    if place is None:
        return None
    line = cst.SimpleStatementLine([cst.Import([cst.ImportAlias(cst.Name(name))])])
    body = list(module.body)
    if imported[place] > name:  # the comments and blank lines above stay above
        head = cst.ensure_type(body[place], cst.SimpleStatementLine)
        line = line.with_changes(leading_lines=head.leading_lines)
        body[place] = head.with_changes(leading_lines=())
    while place < len(body) and imported[place] and imported[place] < name:
        place += 1
    return module.with_changes(body=[*body[:place], line, *body[place:]])


def _imported(item: cst.BaseStatement | cst.BaseCompoundStatement | cst.SimpleStatementLine) -> str:
    """The module that a statement `import module` imports, "" for any other statement."""
    small = item.body[0] if isinstance(item, cst.SimpleStatementLine) and len(item.body) == 1 else None
    if not isinstance(small, cst.Import) or len(small.names) != 1 or small.names[0].asname is not None:
        return ""
    return small.names[0].evaluated_name
