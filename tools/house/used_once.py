"""Functions of one to three lines that are used exactly once: their reader jumps for what could stand in place."""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator

from tools.house.functions import Definition, Function
from tools.house.imports import dotted, imported_names, is_private
from tools.house.offender import Offender
from tools.house.source import Checkout, Source

MOST_BODY_LINES = 3


def short_functions_used_once(checkout: Checkout) -> list[Offender]:
    """Undecorated functions of modules, and private methods, that one expression of the package names.

    Tests do not count as users. What a module lists for export, or hands on under its own name, is left out.
    """
    short = [
        Offender(path=function.source.path, line=function.node.lineno, what=f"{function.node.name} is used once")
        for function in _used_once(checkout)
    ]
    return sorted(short)


def _used_once(checkout: Checkout) -> Iterator[Function]:
    uses = _uses_by_target(checkout)
    exported = {target for source in checkout.sources for target in _exports(source)}
    for source in checkout.sources:
        for node in source.tree.body:
            if isinstance(node, Definition) and _is_short(source, node):
                target = f"{source.module}.{node.name}"
                if uses[target] == 1 and target not in exported:
                    yield Function(source=source, node=node)
        for owner in ast.walk(source.tree):
            if isinstance(owner, ast.ClassDef):
                yield from _methods_used_once(source, owner)


def _is_short(source: Source, node: Definition) -> bool:
    return not node.decorator_list and 1 <= Function(source=source, node=node).num_body_lines <= MOST_BODY_LINES


def _methods_used_once(source: Source, owner: ast.ClassDef) -> Iterator[Function]:
    read = Counter(node.attr for node in ast.walk(owner) if isinstance(node, ast.Attribute))
    for node in owner.body:
        if isinstance(node, Definition) and is_private(node.name) and _is_short(source, node) and read[node.name] == 1:
            yield Function(source=source, node=node)


def _uses_by_target(checkout: Checkout) -> Counter[str]:
    """How often expressions name a function, by its dotted name."""
    uses: Counter[str] = Counter()
    for source in checkout.sources:
        own = {node.name: f"{source.module}.{node.name}" for node in source.tree.body if isinstance(node, Definition)}
        names = {**own, **imported_names(source)}
        uses.update(target for node in _expressions(source.tree) if (target := dotted(node, names)))
    return uses


def _expressions(tree: ast.Module) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
            yield node


def _exports(source: Source) -> Iterable[str]:
    """Names in `__all__`, and imports `x as x`, by their dotted names."""
    names = imported_names(source)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom):
            yield from (names[a.name] for a in node.names if a.asname == a.name)
        elif isinstance(node, ast.Assign) and any(getattr(target, "id", "") == "__all__" for target in node.targets):
            texts = [part.value for part in ast.walk(node.value) if isinstance(part, ast.Constant)]
            yield from (names.get(text, f"{source.module}.{text}") for text in texts if isinstance(text, str))
