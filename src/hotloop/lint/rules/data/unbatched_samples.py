"""DA08: a loader that is told not to batch, over a data set that yields single samples."""

import ast
from collections.abc import Iterable

from hotloop.lint.rule import Hit, Page
from hotloop.lint.source_model.arguments import argument, is_literal
from hotloop.lint.source_model.compile_calls import class_of
from hotloop.lint.source_model.datasets import lineage, method
from hotloop.lint.source_model.source_file import SourceFile

_GROUPS = ("batch", "chunk", "collate", "stack", "concat")


class UnbatchedSamples:
    code = "DA08"
    page = Page(
        title="batch_size=None over single samples",
        why="`batch_size=None` switches batching off: what the data set yields is the batch. A data set that yields "
        "single samples then trains on batches of one.",
        cure="Give the loader a batch size, or yield whole batches from the data set.",
        dynamic="A batch dimension of 1, or none, in what the loader yields and the model is called with, while steps "
        "wait for data a tenth of their time or more, in `hotloop diagnose`. The size of a batch bounds what batching "
        "wins, so no other bound is told.",
        traps="Reported only where the data set is a class of this file whose `__iter__` yields what one turn of a "
        "loop gives, and nothing in it speaks of batches, chunks, stacking or collating.",
    )
    nodes: tuple[type[ast.AST], ...] = ()
    calls = frozenset({"DataLoader"})
    hot_only = False

    def check(self, node: ast.AST, file: SourceFile) -> Iterable[Hit]:
        assert isinstance(node, ast.Call)
        if not is_literal(argument(node, "batch_size", 1), None):
            return
        owner = class_of(argument(node, "dataset", 0), file)
        if owner is not None and _yields_samples(owner, file):
            yield Hit(node, f"`batch_size=None`, and `{owner.name}` yields one sample at a time")


def _yields_samples(owner: ast.ClassDef, file: SourceFile) -> bool:
    family = lineage(file, owner)
    bases = [file.name_of(base) for node in family for base in node.bases]
    read = next((found for node in family if (found := method(node, "__iter__"))), None)
    if read is None or not any(base.endswith("IterableDataset") for base in bases):
        return False
    if any(_speaks_of_groups(part) for node in family for part in file.within(node)):
        return False
    yields = [part for part in file.within(read) if isinstance(part, ast.Yield)]
    return bool(yields) and all(_is_single(part, file) for part in yields)


def _is_single(part: ast.Yield, file: SourceFile) -> bool:
    if part.value is None or not file.place(part).loops:
        return False
    return not any(isinstance(inner, ast.Slice) for inner in file.within(part.value))


def _speaks_of_groups(part: ast.AST) -> bool:
    said = part.id if isinstance(part, ast.Name) else part.attr if isinstance(part, ast.Attribute) else ""
    said = part.arg if isinstance(part, ast.arg) else said
    return isinstance(part, ast.YieldFrom) or any(word in said.lower() for word in _GROUPS)
