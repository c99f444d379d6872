"""DA05: a cache of samples that is smaller than a shuffled epoch."""

import ast
from collections.abc import Iterable, Iterator

from hotloop.lint.rule import Hit, Page
from hotloop.lint.source_model.arguments import argument, is_literal, number
from hotloop.lint.source_model.compile_calls import class_of
from hotloop.lint.source_model.datasets import is_dataset, lineage, method
from hotloop.lint.source_model.names import dotted
from hotloop.lint.source_model.source_file import SourceFile

_CACHES = ("functools.lru_cache", "lru_cache", "cachetools.cached")
_LRU_DEFAULT = 128  # functools.lru_cache(maxsize=128)


class CacheSmallerThanEpoch:
    code = "DA05"
    page = Page(
        title="a cache of samples that is smaller than a shuffled epoch",
        why="Under shuffling a sample comes back after a whole epoch. A cache of the last N samples has then thrown it "
        "out: nearly every look-up misses, and the memory and the bookkeeping are spent for nothing.",
        cure="Hold everything (`maxsize=None`, or load once), or drop the cache, or cache by file and shuffle files.",
        dynamic="The hit rate of the cache, in `hotloop diagnose`.",
        traps="Reported only where the key is the index of the sample and a loader of this file shuffles the data set. "
        "A cache by file or day, and one without a limit, are not.",
    )
    nodes: tuple[type[ast.AST], ...] = (ast.ClassDef,)
    calls: frozenset[str] = frozenset()
    hot_only = False

    def check(self, node: ast.AST, file: SourceFile) -> Iterable[Hit]:
        assert isinstance(node, ast.ClassDef)
        if not is_dataset(file, node) or not _is_shuffled(node, file):
            return
        getitem = next((found for base in lineage(file, node) if (found := method(base, "__getitem__"))), None)
        if getitem is None or len(getitem.args.args) < 2:
            return
        index = getitem.args.args[1].arg
        for call in file.all(ast.Call):
            if file.holds(getitem, call) and any(dotted(given) == index for given in call.args):
                yield from _decorated(node, dotted(call.func), file)
        yield from _by_hand(getitem, index, file)


def _is_shuffled(owner: ast.ClassDef, file: SourceFile) -> bool:
    for call in file.calls("DataLoader"):
        if is_literal(argument(call, "shuffle", 2), True):
            made = class_of(argument(call, "dataset", 0), file)
            if made is not None and owner in lineage(file, made):
                return True
    return False


def _decorated(owner: ast.ClassDef, called: str, file: SourceFile) -> Iterator[Hit]:
    head, _, name = called.rpartition(".")
    target = method(owner, name) if head == "self" else None
    for decorator in target.decorator_list if target is not None else ():
        made = decorator.func if isinstance(decorator, ast.Call) else decorator
        if file.name_of(made) not in _CACHES:
            continue
        size = argument(decorator, "maxsize", 0) if isinstance(decorator, ast.Call) else None
        limit = _LRU_DEFAULT if size is None else number(file, size)
        if limit is not None:
            yield Hit(decorator, _message(limit))


def _by_hand(getitem: ast.AST, index: str, file: SourceFile) -> Iterator[Hit]:
    stores = {
        dotted(part.value)
        for part in file.within(getitem)
        if isinstance(part, ast.Subscript) and isinstance(part.ctx, ast.Store) and dotted(part.slice) == index
    }
    for test in file.all(ast.Compare):
        if not file.holds(getitem, test) or not isinstance(file.parent(test), ast.If):
            continue
        left, limit = test.left, number(file, test.comparators[0])
        measured = left.args[0] if isinstance(left, ast.Call) and dotted(left.func) == "len" and left.args else None
        if limit is not None and dotted(measured) in stores - {""}:
            yield Hit(test, _message(limit))


def _message(limit: int | float) -> str:
    return f"the cache holds {limit:,.0f} samples by index, and the loader shuffles: a sample is gone before it is due"
