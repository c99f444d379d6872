"""Attributes that a method other than `__init__` gives an object, so that nobody can see at once what it holds."""

import ast
from collections.abc import Iterator

from tools.house.imports import imported_names
from tools.house.offender import Offender
from tools.house.source import Checkout, Source

_MAKERS = {"__init__", "__post_init__", "__new__", "__setstate__"}  # each makes an object from nothing


def late_attributes(checkout: Checkout) -> list[Offender]:
    """The first assignment of each attribute that neither a maker of its class or of a base nor a class body names.

    Bases outside the package are not followed. Names that end in an underscore are left out: scikit-learn wants what
    `fit` has learned under such names, and wants them absent before.
    """
    classes = dict(_classes(checkout))
    found: list[Offender] = []
    for name, (source, node) in classes.items():
        born = _born(name, classes)
        for attribute, line in _assigned_late(node):
            if attribute not in born and not attribute.endswith("_"):
                born.add(attribute)
                what = f"{node.name}.{attribute} is born outside __init__"
                found.append(Offender(path=source.path, line=line, what=what))
    return found


def _classes(checkout: Checkout) -> Iterator[tuple[str, tuple[Source, ast.ClassDef]]]:
    for source in checkout.sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ClassDef):
                yield f"{source.module}.{node.name}", (source, node)


def _born(name: str, classes: dict[str, tuple[Source, ast.ClassDef]]) -> set[str]:
    if name not in classes:
        return set()
    source, node = classes[name]
    names = imported_names(source)
    born = set(_of_body(node))
    for base in node.bases:
        plain = base.value if isinstance(base, ast.Subscript) else base
        if isinstance(plain, ast.Name) and plain.id != node.name:
            born |= _born(names.get(plain.id, f"{source.module}.{plain.id}"), classes)
    return born


def _of_body(node: ast.ClassDef) -> Iterator[str]:
    """What the class body names, and what its makers assign."""
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            yield statement.name
            if statement.name in _MAKERS:
                yield from (attribute for attribute, _ in _assigned(statement))
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            yield statement.target.id
        elif isinstance(statement, ast.Assign):
            yield from (target.id for target in statement.targets if isinstance(target, ast.Name))
            yield from _slots(statement)


def _slots(statement: ast.Assign) -> Iterator[str]:
    if any(isinstance(target, ast.Name) and target.id == "__slots__" for target in statement.targets):
        for node in ast.walk(statement.value):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def _assigned_late(node: ast.ClassDef) -> Iterator[tuple[str, int]]:
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) and statement.name not in _MAKERS:
            yield from _assigned(statement)


def _assigned(method: ast.FunctionDef | ast.AsyncFunctionDef) -> list[tuple[str, int]]:
    """Attributes of the method's first argument that it assigns, in the order of the lines."""
    arguments = [*method.args.posonlyargs, *method.args.args]
    if not arguments or any(isinstance(mark, ast.Name) and mark.id == "staticmethod" for mark in method.decorator_list):
        return []
    me = arguments[0].arg
    found = [
        (node.attr, node.lineno)
        for node in ast.walk(method)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == me
    ]
    return sorted(found, key=lambda item: item[1])
