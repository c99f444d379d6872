"""Names as written, and which names people usually give to loaders, optimizers, modules and loggers."""

import ast
import re

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
