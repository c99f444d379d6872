"""Edits: the changes of one file that fixers ask for, and how they are made in its libcst tree."""

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import libcst as cst

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


def apply_edits(module: cst.Module, edits: Edits) -> cst.Module:
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
    at = next((index for index, found in enumerate(imported) if found), None)
    if at is None:
        return None
    line = cst.SimpleStatementLine([cst.Import([cst.ImportAlias(cst.Name(name))])])
    body = list(module.body)
    if imported[at] > name:  # the comments and blank lines above stay above
        head = cst.ensure_type(body[at], cst.SimpleStatementLine)
        line = line.with_changes(leading_lines=head.leading_lines)
        body[at] = head.with_changes(leading_lines=())
    while at < len(body) and imported[at] and imported[at] < name:
        at += 1
    return module.with_changes(body=[*body[:at], line, *body[at:]])


def _imported(item: cst.BaseStatement | cst.BaseCompoundStatement | cst.SimpleStatementLine) -> str:
    """The module that a statement `import module` imports, "" for any other statement."""
    small = item.body[0] if isinstance(item, cst.SimpleStatementLine) and len(item.body) == 1 else None
    if not isinstance(small, cst.Import) or len(small.names) != 1 or small.names[0].asname is not None:
        return ""
    return small.names[0].evaluated_name
