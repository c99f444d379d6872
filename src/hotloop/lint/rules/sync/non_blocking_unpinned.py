"""SY09: `non_blocking=True` from memory that is not pinned, or pinned memory copied without it."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.expressions import argument, is_literal, receiver
from hotloop.lint.source_model.kind import Kind


class NonBlockingUnpinned(Rule[ast.Call]):
    code = "SY09"
    doc = RuleDoc(
        title="`non_blocking` without pinned memory, or the other way round",
        why="A CUDA copy overlaps only with `non_blocking=True` *and* pinned memory; either alone has no effect.",
        cure="On CUDA, give the loader `pin_memory=True` and the copy `non_blocking=True`.",
        at_runtime="Where the model is on an accelerator, `hotloop diagnose` looks at `is_pinned()` of what `.to`, "
        "`.cuda` and `.copy_` copy to it, and at `non_blocking`.",
        not_reported="Reported only where all loaders of the file agree; `pin_memory` from a variable, loaders from "
        "elsewhere and `tensor.pin_memory()` keep the rule silent. Sync debug mode does not see it.",
    )
    calls = frozenset({"to", "cuda"})
    hot_only = True

    def check(self, node: ast.Call, file: SourceFile) -> Violations:
        pinned, of = _pins(file), receiver(node)
        if pinned is None or of is None or not _comes_from_loader(of, file):
            return
        if is_literal(argument(node, "non_blocking"), True) and not pinned:
            yield Violation(node, "`non_blocking=True` from a loader without `pin_memory=True`: the copy still waits")
        mentioned = any(word.arg in ("non_blocking", None) for word in node.keywords)
        if pinned and not mentioned and _names_device(node, file):
            yield Violation(node, "the loader pins its batches, but the copy waits: it lacks `non_blocking=True`")


def _pins(file: SourceFile) -> bool | None:
    """What all loaders of the file do; None where they differ, or the source does not tell."""
    if file.calls("pin_memory"):
        return None
    found: set[bool | None] = set()
    for call in file.calls("DataLoader"):
        if any(word.arg is None for word in call.keywords):
            return None
        given = argument(call, "pin_memory")
        constant = bool(given.value) if isinstance(given, ast.Constant) else None
        found.add(False if given is None else constant)
    return found.pop() if len(found) == 1 else None


def _comes_from_loader(of: ast.expr, file: SourceFile) -> bool:
    if isinstance(of, ast.Subscript):
        of = of.value
    binding = file.binding(of) if isinstance(of, ast.Name) else None
    if binding is None or binding.how not in ("for", "for-unpack"):
        return False
    loaders = [loop.node for loop in file.position(of).loops if loop.iterates_loader]
    return binding.statement in loaders or (file.kind(of) in (Kind.TENSOR, Kind.BATCH) and bool(loaders))


def _names_device(node: ast.Call, file: SourceFile) -> bool:
    if isinstance(node.func, ast.Attribute) and node.func.attr == "cuda":
        return True
    for value in [*node.args[:1], *(word.value for word in node.keywords if word.arg == "device")]:
        if isinstance(value, ast.Constant):
            if isinstance(value.value, str) and value.value.startswith("cuda"):
                return True
        elif "device" in file.name_of(value).rpartition(".")[2].lower():
            return True
    return False
