"""DA05: a cache of samples that is smaller than a shuffled epoch."""

import ast
from collections.abc import Iterator

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.definitions import class_of, decorators, inherited_method, is_dataset, lineage, method
from hotloop.lint.source_model.expressions import argument, dotted, is_literal

_CACHES = ("functools.lru_cache", "lru_cache", "cachetools.cached")
_LRU_DEFAULT = 128  # functools.lru_cache(maxsize=128)


class CacheSmallerThanEpoch(Rule[ast.ClassDef]):
    code = "DA05"
    doc = RuleDoc(
        title="a cache of samples that is smaller than a shuffled epoch",
        why="Under shuffling a sample comes back after a whole epoch. A cache of the last N samples has then dropped "
        "it: nearly every look-up misses, and the memory and the bookkeeping are spent for nothing.",
        cure="Hold everything (`maxsize=None`, or load once), or drop the cache, or cache by file and shuffle files.",
        at_runtime="The hit rate of the cache, in `hotloop diagnose`.",
        not_reported="Reported only where the key is the index of the sample and a loader of this file shuffles the "
        "data set. A cache by file or day, and one without a limit, are not.",
    )
    nodes = (ast.ClassDef,)

    def check(self, node: ast.ClassDef, file: SourceFile) -> Violations:
        loaders = [call for call in file.calls("DataLoader") if is_literal(argument(call, "shuffle", 2), True)]
        shuffled = [made for call in loaders if (made := class_of(argument(call, "dataset", 0), file)) is not None]
        if not is_dataset(node, file) or not any(node in lineage(made, file) for made in shuffled):
            return
        getitem = inherited_method(node, "__getitem__", file)
        if getitem is None or len(getitem.args.args) < 2:
            return
        index = getitem.args.args[1].arg
        for call in file.within(getitem, ast.Call):
            if any(dotted(given) == index for given in call.args):
                yield from _decorated(node, dotted(call.func), file)
        yield from _by_hand(getitem, index, file)


def _decorated(owner: ast.ClassDef, called: str, file: SourceFile) -> Iterator[Violation]:
    head, _, name = called.rpartition(".")
    target = method(owner, name) if head == "self" else None
    for decorator, made in decorators(target, file) if target is not None else ():
        if made not in _CACHES:
            continue
        size = argument(decorator, "maxsize", 0) if isinstance(decorator, ast.Call) else None
        limit = _LRU_DEFAULT if size is None else file.number(size)
        if limit is not None:
            yield Violation(decorator, _message(limit))


def _by_hand(getitem: ast.AST, index: str, file: SourceFile) -> Iterator[Violation]:
    stores = {
        dotted(part.value)
        for part in file.within(getitem, ast.Subscript)
        if isinstance(part.ctx, ast.Store) and dotted(part.slice) == index
    }
    for test in file.within(getitem, ast.Compare):
        if not isinstance(file.parent(test), ast.If):
            continue
        left, limit = test.left, file.number(test.comparators[0])
        measured = left.args[0] if isinstance(left, ast.Call) and dotted(left.func) == "len" and left.args else None
        if limit is not None and dotted(measured) in stores - {""}:
            yield Violation(test, _message(limit))


def _message(limit: int | float) -> str:
    return f"the cache holds {limit:,.0f} samples by index, and the loader shuffles: a sample is gone before it is due"
