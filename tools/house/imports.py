"""What the names of a file stand for, as far as its imports tell."""

import ast
from collections.abc import Iterator

from tools.house.source import Source


def imported_names(source: Source) -> dict[str, str]:
    """The dotted target of each name that an import binds, wherever in the file it stands."""
    return {name: target for node in ast.walk(source.tree) for name, target, _ in _bindings(source, node)}


def imported_targets(source: Source) -> Iterator[tuple[str, int]]:
    """Every dotted target that the file imports, with its line."""
    for node in ast.walk(source.tree):
        yield from ((target, line) for _, target, line in _bindings(source, node))


def dotted(node: ast.expr, names: dict[str, str]) -> str:
    """What `a.b.c` stands for where `a` is imported; an empty text for any other expression."""
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value, names)
        return f"{owner}.{node.attr}" if owner else ""
    return ""


def is_private(name: str) -> bool:
    """Whether a name begins with an underscore and is none of Python's own (`__init__`) and no placeholder (`_`)."""
    return name.startswith("_") and bool(name.strip("_")) and not (name.startswith("__") and name.endswith("__"))


def _bindings(source: Source, node: ast.AST) -> Iterator[tuple[str, str, int]]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            top = alias.name.partition(".")[0]
            yield (alias.asname, alias.name, node.lineno) if alias.asname else (top, top, node.lineno)
    elif isinstance(node, ast.ImportFrom):
        origin = _origin(source, node)
        for alias in node.names:
            yield alias.asname or alias.name, f"{origin}.{alias.name}", node.lineno


def _origin(source: Source, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = source.module.split(".")
    kept = parts[: len(parts) - node.level + source.is_package]
    return ".".join([*kept, node.module] if node.module else kept)
