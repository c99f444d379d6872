"""What a file hands to `torch.compile`, and under which names it keeps the result."""

import ast
from collections.abc import Iterator

from hotloop.lint.source_model.names import dotted
from hotloop.lint.source_model.source_file import SourceFile

FunctionDef = ast.FunctionDef | ast.AsyncFunctionDef


def is_compile(node: ast.AST | None, file: SourceFile) -> bool:
    """Whether a node is a call of `torch.compile`."""
    return isinstance(node, ast.Call) and file.name_of(node.func) == "torch.compile"


def compile_calls(file: SourceFile) -> list[ast.Call]:
    """All calls of `torch.compile` in a file."""
    return [call for call in file.calls("compile") if is_compile(call, file)]


def subject(call: ast.Call) -> ast.expr | None:
    """What a call of `torch.compile` compiles; None where it is used as a decorator with options."""
    if call.args:
        return call.args[0]
    return next((word.value for word in call.keywords if word.arg == "model"), None)


def definition(name: ast.expr | None, file: SourceFile) -> FunctionDef | ast.ClassDef | None:
    """The def or class of this file that a name stands for."""
    if not isinstance(name, ast.Name):
        return None
    bound = file.binding(name)
    found = bound.statement if bound is not None and bound.how == "definition" else None
    return found if isinstance(found, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) else None


def class_of(value: ast.expr | None, file: SourceFile) -> ast.ClassDef | None:
    """The class of this file that an expression is an instance of, where it is made in sight."""
    for _ in range(4):  # model = Net(); model = model.to(device); compiled = torch.compile(model)
        if isinstance(value, ast.Call):
            made = definition(value.func, file)
            if isinstance(made, ast.ClassDef):
                return made
            value = value.func.value if isinstance(value.func, ast.Attribute) else None
        elif value is not None and dotted(value):
            bound = file.binding(value)
            value = bound.value if bound is not None and bound.how == "assign" else None
    return None


def compiled_functions(file: SourceFile) -> Iterator[FunctionDef]:
    """Functions of this file whose bodies are compiled: decorated, handed over, or the forward of such a module."""
    for function in (*file.all(ast.FunctionDef), *file.all(ast.AsyncFunctionDef)):
        if any(_decorates(decorator, file) for decorator in function.decorator_list):
            yield function
    handed = [subject(call) for call in compile_calls(file)]
    in_place = [value for call in file.calls("compile") if (value := _compiled_in_place(call, file)) is not None]
    for value in [*handed, *in_place]:
        found = definition(value, file)
        if isinstance(found, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield found
        made = class_of(value, file)
        yield from _forwards(made) if made is not None else ()


def _decorates(decorator: ast.expr, file: SourceFile) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return file.name_of(called) == "torch.compile"


def _compiled_in_place(call: ast.Call, file: SourceFile) -> ast.expr | None:
    """The module of `module.compile()`."""
    if not isinstance(call.func, ast.Attribute) or is_compile(call, file):
        return None
    return call.func.value


def _forwards(made: ast.ClassDef) -> Iterator[FunctionDef]:
    for item in made.body:
        if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)) and item.name == "forward":
            yield item


def names_in(node: ast.AST, file: SourceFile) -> set[str]:
    """All plain names under a node, those that it is computed from one assignment back included."""
    found: set[str] = set()
    for part in file.within(node):
        if isinstance(part, ast.Name):
            found.add(part.id)
            bound = file.binding(part)
            if bound is not None and bound.how == "assign" and bound.value is not None:
                found |= {inner.id for inner in file.within(bound.value) if isinstance(inner, ast.Name)}
    return found
