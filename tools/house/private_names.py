"""Private names of the package that its tests reach for, past the public function that should be tested."""

import ast
from collections.abc import Iterator

from tools.house.imports import dotted, imported_names, imported_targets, is_private
from tools.house.offender import Offender
from tools.house.source import Checkout, Source

_BY_NAME = {"setattr", "delattr", "getattr", "hasattr", "object"}  # of `monkeypatch`, of `mock.patch`, or built in


def reached_private_names(checkout: Checkout) -> list[Offender]:
    """Each place in the tests that imports, reads or replaces an underscored name of the package.

    An attribute of an object counts where a class of the package gives it and no class of the same test file does.
    """
    ours = {name for source in checkout.sources for name in _private_attributes(source.tree)}
    return [
        Offender(path=test.path, line=line, what=f"reaches for {name}")
        for test in checkout.tests
        for line, name in sorted(set(_reaches(test, checkout.package, ours - _private_attributes(test.tree))))
    ]


def _reaches(test: Source, package: str, attributes: set[str]) -> Iterator[tuple[int, str]]:
    names = _names_with_aliases(test)
    for target, line in imported_targets(test):
        if _is_private_path(target, package):
            yield line, target
    for node in ast.walk(test.tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            target = dotted(node, names)
            if _is_private_path(target, package) or (not target and node.attr in attributes):
                yield node.lineno, target or f".{node.attr}"
        elif isinstance(node, ast.Call):
            yield from _named_in_text(node, names, package, attributes)


def _names_with_aliases(test: Source) -> dict[str, str]:
    """What imports bind, and what `x = module.name` binds to the same."""
    names = imported_names(test)
    for node in ast.walk(test.tree):
        if isinstance(node, ast.Assign) and (target := dotted(node.value, names)):
            names.update({to.id: target for to in node.targets if isinstance(to, ast.Name)})
    return names


def _named_in_text(
    node: ast.Call, names: dict[str, str], package: str, attributes: set[str]
) -> Iterator[tuple[int, str]]:
    """`monkeypatch.setattr(module, "_name", ...)` and the like."""
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if called not in _BY_NAME or not node.args:
        return
    texts = [argument.value if isinstance(argument, ast.Constant) else None for argument in node.args[:2]]
    if isinstance(texts[0], str) and _is_private_path(texts[0], package):
        yield node.lineno, texts[0]
    if len(texts) > 1 and isinstance(texts[1], str) and is_private(texts[1]):
        owner = dotted(node.args[0], names)
        if _is_private_path(f"{owner}.{texts[1]}", package) or (not owner and texts[1] in attributes):
            yield node.lineno, f"{owner}.{texts[1]}"


def _is_private_path(target: str, package: str) -> bool:
    first, *rest = target.split(".")
    return first == package and any(is_private(part) for part in rest)


def _private_attributes(tree: ast.Module) -> set[str]:
    """Underscored names that classes give their objects: methods, fields, and what is assigned to `self`."""
    found: set[str] = set()
    for owner in ast.walk(tree):
        if isinstance(owner, ast.ClassDef):
            for node in ast.walk(owner):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    found.add(node.name)
                elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _is_self(node.value):
                    found.add(node.attr)
                elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                    found.add(node.target.id)
    return {name for name in found if is_private(name)}


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")
