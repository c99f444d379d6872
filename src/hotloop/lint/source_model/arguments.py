"""What a call is given: arguments by position or name, and literals behind names."""

import ast

from hotloop.lint.source_model.position import Binding
from hotloop.lint.source_model.source_file import SourceFile

Literal = str | bytes | bool | int | float | complex | None


def argument(call: ast.Call, name: str, position: int | None = None) -> ast.expr | None:
    """What a call gives for a parameter, by name or, where `position` is given, by position; None where nothing."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    if position is None or position >= len(call.args):
        return None
    before = call.args[: position + 1]
    return None if any(isinstance(given, ast.Starred) for given in before) else before[-1]


def unpacks(call: ast.Call) -> bool:
    """Whether a call passes `*args` or `**kwargs`, so that more may be given than is written."""
    return any(word.arg is None for word in call.keywords) or any(isinstance(given, ast.Starred) for given in call.args)


def is_literal(node: ast.expr | None, *values: Literal) -> bool:
    """Whether an expression is written as one of these literals; True is not 1 here."""
    if not isinstance(node, ast.Constant):
        return False
    return any(type(node.value) is type(value) and node.value == value for value in values)


def number(file: SourceFile, node: ast.expr) -> int | float | None:
    """The number that an expression is, written there or behind a name that is bound once; None where unknown."""
    if isinstance(node, ast.Constant):
        value = node.value
        return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
    bound = file.binding(node) if isinstance(node, (ast.Name, ast.Attribute)) else None
    if bound is None or bound.value is None or bound.how not in ("assign", "argument") or not _is_only(file, bound):
        return None
    return number(file, bound.value) if isinstance(bound.value, ast.Constant) else None


def _is_only(file: SourceFile, bound: Binding) -> bool:
    """Whether the name has no other binding; a parameter's default is no literal, callers may give another."""
    if bound.how == "argument":
        return False
    scopes = [scope for scope in file.walk.scopes.values() if bound in scope.bindings.get(bound.name, ())]
    return all(len(scope.bindings[bound.name]) == 1 for scope in scopes)
