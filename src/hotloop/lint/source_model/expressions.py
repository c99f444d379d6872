"""Expressions as written: dotted names, literals, arguments of calls; and the names that people usually give."""

import ast
import re

Literal = str | bytes | bool | int | float | complex | None

LOADER = re.compile(r"(?:^|_)(?:data_?)?loader$|dataloader$|(?:^|_)dl$|(?:^|_)batches$|(?:^|_)prefetcher$", re.I)
OPTIMIZER = re.compile(r"(?:^|_)opt(?:im(?:izer)?)?(?:s|_?\d+|_[a-z]{1,2})?$|optim(?:izer)?s?$", re.I)
MODULE = re.compile(
    r"(?:^|_)(?:model|net|network|module|backbone|encoder|decoder|policy|critic|actor|generator|discriminator|"
    r"criterion|loss_fn|loss_func|loss_function)$",
    re.I,
)
LOGGER = re.compile(r"(?:^|_)(?:log|logger|logging)$", re.I)


def words(text: str) -> frozenset[str]:
    """The set of the words in a text."""
    return frozenset(text.split())


def dotted(node: ast.AST | None) -> str:
    """`a.b.c` as written, or "" for anything but names and attributes."""
    if isinstance(node, ast.Name):
        return node.id
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    parts.append(node.id)
    return ".".join(reversed(parts))


def last_name(func: ast.expr) -> str:
    """The last part of what is called: `item` for `x.y().item`, `float` for `float`, else ""."""
    if isinstance(func, ast.Attribute):
        return func.attr
    return func.id if isinstance(func, ast.Name) else ""


def is_usual(name: str, names: re.Pattern[str]) -> bool:
    """Whether people call a LOADER, OPTIMIZER, MODULE or LOGGER so; the last part of a dotted name decides."""
    return names.search(name.rpartition(".")[2]) is not None


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


def is_number_literal(node: ast.expr) -> bool:
    """Whether a number is written there, with or without a minus."""
    inner = node.operand if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) else node
    return isinstance(inner, ast.Constant) and isinstance(inner.value, (int, float))
