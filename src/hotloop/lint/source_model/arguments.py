"""What a call is given: arguments by position or name, and literals behind names."""

import ast

from hotloop.lint.source_model.source_file import SourceFile

Literal = str | bytes | bool | int | float | complex | None


def argument(call: ast.Call, name: str, index: int | None = None) -> ast.expr | None:
    """What a call gives for a parameter, by name or, where `index` is given, by position; None where nothing."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    if index is None or index >= len(call.args):
        return None
    before = call.args[: index + 1]
    return None if any(isinstance(given, ast.Starred) for given in before) else before[-1]


def values_given(call: ast.Call) -> list[ast.expr]:
    """All values that a call is given, by position and by name."""
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def receiver(call: ast.Call) -> ast.expr | None:
    """What a method is called on; None for other calls."""
    return call.func.value if isinstance(call.func, ast.Attribute) else None


def unpacks(call: ast.Call) -> bool:
    """Whether a call passes `*args` or `**kwargs`, so that more may be given than is written."""
    return any(word.arg is None for word in call.keywords) or any(isinstance(given, ast.Starred) for given in call.args)


def is_literal(node: ast.expr | None, *values: Literal) -> bool:
    """Whether an expression is written as one of these literals; True is not 1 here."""
    if not isinstance(node, ast.Constant):
        return False
    return any(type(node.value) is type(value) and node.value == value for value in values)


def number(node: ast.expr, file: SourceFile) -> int | float | None:
    """The number that an expression is, written there or behind a name that is bound once; None where unknown."""
    if isinstance(node, ast.Constant):
        value = node.value
        return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
    bindings = file.bindings_of(node) if isinstance(node, (ast.Name, ast.Attribute)) else []
    if len(bindings) != 1 or bindings[0].how != "assign" or not isinstance(bindings[0].value, ast.Constant):
        return None
    return number(bindings[0].value, file)


def is_number_literal(node: ast.expr) -> bool:
    """Whether a number is written there, with or without a minus."""
    inner = node.operand if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) else node
    return isinstance(inner, ast.Constant) and isinstance(inner.value, (int, float))
