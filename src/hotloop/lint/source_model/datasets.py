"""Which classes of a file are data sets, and where their methods are."""

import ast

from hotloop.lint.source_model.names import dotted
from hotloop.lint.source_model.source_file import SourceFile

_DEFS = (ast.FunctionDef, ast.AsyncFunctionDef)


def method(owner: ast.ClassDef, name: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The last def of that name in a class body, or None."""
    found = [item for item in owner.body if isinstance(item, _DEFS) and item.name == name]
    return found[-1] if found else None


def lineage(file: SourceFile, owner: ast.ClassDef) -> list[ast.ClassDef]:
    """The class and those of its bases that this file defines, nearest first."""
    known = {node.name: node for node in file.all(ast.ClassDef)}
    found = [owner]
    for node in found:  # grows while it is read
        for base in node.bases:
            parent = known.get(dotted(base))
            if parent is not None and parent not in found:
                found.append(parent)
    return found


def is_dataset(file: SourceFile, owner: ast.ClassDef | None) -> bool:
    """Whether a class is a data set: by a base that is called so, or because it has `__getitem__` and `__len__`."""
    if owner is None:
        return False
    family = lineage(file, owner)
    bases = [file.name_of(base).rpartition(".")[2] for node in family for base in node.bases]
    if any("Dataset" in base for base in bases):
        return True
    return all(any(method(node, name) for node in family) for name in ("__getitem__", "__len__"))
