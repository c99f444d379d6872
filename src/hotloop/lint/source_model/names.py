"""Names as written, and which names people usually give to loaders, optimizers, modules and loggers."""

import ast
import re

_LOADER = re.compile(r"(?:^|_)(?:data_?)?loader$|dataloader$|(?:^|_)dl$|(?:^|_)batches$|(?:^|_)prefetcher$", re.I)
_OPTIMIZER = re.compile(r"(?:^|_)opt(?:im(?:izer)?)?(?:s|_?\d+|_[a-z]{1,2})?$|optim(?:izer)?s?$", re.I)
_MODULE = re.compile(
    r"(?:^|_)(?:model|net|network|module|backbone|encoder|decoder|policy|critic|actor|generator|discriminator|"
    r"criterion|loss_fn|loss_func|loss_function)$",
    re.I,
)
_LOGGER = re.compile(r"(?:^|_)(?:log|logger|logging)$", re.I)


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


def looks_like_loader(name: str) -> bool:
    """Whether people call a loader of batches so; the last part of a dotted name decides."""
    return _LOADER.search(name.rpartition(".")[2]) is not None


def looks_like_optimizer(name: str) -> bool:
    """Whether people call an optimizer so; the last part of a dotted name decides."""
    return _OPTIMIZER.search(name.rpartition(".")[2]) is not None


def looks_like_module(name: str) -> bool:
    """Whether people call an nn.Module so; the last part of a dotted name decides."""
    return _MODULE.search(name.rpartition(".")[2]) is not None


def looks_like_logger(name: str) -> bool:
    """Whether people call a logger so; the last part of a dotted name decides."""
    return _LOGGER.search(name.rpartition(".")[2]) is not None
