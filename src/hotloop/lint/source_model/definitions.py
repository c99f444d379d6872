"""The defs and classes of a file: what a name stands for, decorators, methods and bases, and which are data sets."""

import ast
from collections.abc import Iterator

from hotloop.lint.source_model.expressions import dotted
from hotloop.lint.source_model.node_types import FunctionDef
from hotloop.lint.source_model.source_file import SourceFile


def definition(name: ast.expr | None, file: SourceFile) -> FunctionDef | ast.ClassDef | None:
    """The def or class of this file that a name stands for."""
    binding = file.binding(name) if isinstance(name, ast.Name) else None
    found = binding.statement if binding is not None and binding.how == "definition" else None
    return found if isinstance(found, FunctionDef | ast.ClassDef) else None


def class_of(value: ast.expr | None, file: SourceFile) -> ast.ClassDef | None:
    """The class of this file that an expression is an instance of, where the file makes it."""
    for _ in range(4):  # model = Net(); model = model.to(device); compiled = torch.compile(model)
        if isinstance(value, ast.Call):
            made = definition(value.func, file)
            if isinstance(made, ast.ClassDef):
                return made
            value = value.func.value if isinstance(value.func, ast.Attribute) else None
        elif value is not None and dotted(value):
            binding = file.binding(value)
            value = binding.value if binding is not None and binding.how == "assign" else None
    return None


def decorators(function: FunctionDef | ast.ClassDef, file: SourceFile) -> Iterator[tuple[ast.expr, str]]:
    """Each decorator with its full name, whether it is called with arguments or not."""
    for decorator in function.decorator_list:
        yield decorator, file.name_of(decorator.func if isinstance(decorator, ast.Call) else decorator)


def method(owner: ast.ClassDef, name: str) -> FunctionDef | None:
    """The last def of that name in a class body, or None."""
    found = [item for item in owner.body if isinstance(item, FunctionDef) and item.name == name]
    return found[-1] if found else None


def lineage(owner: ast.ClassDef, file: SourceFile) -> list[ast.ClassDef]:
    """The class and those of its bases that this file defines, nearest first."""
    known = {node.name: node for node in file.all(ast.ClassDef)}
    found = [owner]
    for node in found:  # grows while it is read
        for base in node.bases:
            parent = known.get(dotted(base))
            if parent is not None and parent not in found:
                found.append(parent)
    return found


def inherited_method(owner: ast.ClassDef, name: str, file: SourceFile) -> FunctionDef | None:
    """The method of that name of a class or of the nearest of its bases in this file, or None."""
    return next((found for node in lineage(owner, file) if (found := method(node, name))), None)


def is_dataset(owner: ast.ClassDef | None, file: SourceFile) -> bool:
    """Whether a class is a data set: by a base that is called so, or because it has `__getitem__` and `__len__`."""
    if owner is None:
        return False
    bases = [file.name_of(base).rpartition(".")[2] for node in lineage(owner, file) for base in node.bases]
    if any("Dataset" in base for base in bases):
        return True
    return all(inherited_method(owner, name, file) for name in ("__getitem__", "__len__"))


def is_program(file: SourceFile) -> bool:
    """Whether a file can be run by itself: it has an `if __name__ == "__main__":`."""
    tests = [item.test for item in file.tree.body if isinstance(item, ast.If)]
    return any("__name__" in file.names_in(test) for test in tests)
