"""DA08: a loader that is told not to batch, over a data set that yields single samples."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.definitions import class_of, inherited_method, lineage
from hotloop.lint.source_model.expressions import argument, is_literal

_GROUPS = ("batch", "chunk", "collate", "stack", "concat")


class UnbatchedSamples(Rule[ast.Call]):
    code = "DA08"
    doc = RuleDoc(
        title="batch_size=None over single samples",
        why="`batch_size=None` makes a batch of what the data set yields: of single samples, batches of one.",
        cure="Give the loader a batch size, or yield whole batches from the data set.",
        at_runtime="A batch dimension of 1, or none, in what the loader yields and the model is called with, while "
        "steps wait for data a tenth of their time or more, in `hotloop diagnose`. What batching can win depends on "
        "the size of the batch, so no Amdahl limit is told.",
        not_reported="Reported only where the data set is a class of this file whose `__iter__` yields one element "
        "of a loop at a time, and nothing in it names batches, chunks, stacking or collating.",
    )
    calls = frozenset({"DataLoader"})

    def check(self, node: ast.Call, file: SourceFile) -> Violations:
        if not is_literal(argument(node, "batch_size", 1), None):
            return
        owner = class_of(argument(node, "dataset", 0), file)
        if owner is not None and _yields_samples(owner, file):
            yield Violation(node, f"`batch_size=None`, and `{owner.name}` yields one sample at a time")


def _yields_samples(owner: ast.ClassDef, file: SourceFile) -> bool:
    classes = lineage(owner, file)
    bases = [file.name_of(base) for node in classes for base in node.bases]
    read = inherited_method(owner, "__iter__", file)
    if read is None or not any(base.endswith("IterableDataset") for base in bases):
        return False
    names = {part.arg for node in classes for part in file.within(node, ast.arg)}
    names |= {name for node in classes for name in file.names_in(node) | file.attributes_in(node)}
    names_groups = any(word in name.lower() for name in names for word in _GROUPS)
    if names_groups or any(file.within(node, ast.YieldFrom) for node in classes):
        return False
    yields = file.within(read, ast.Yield)
    in_loop = all(part.value is not None and file.position(part).loops for part in yields)
    return bool(yields) and in_loop and not any(file.within(part, ast.Slice) for part in yields)
