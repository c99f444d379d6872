"""SY09: `non_blocking=True` from memory that is not pinned, or pinned memory copied without it."""

import ast
from collections.abc import Iterable

from hotloop.lint.rule import Hit, Page
from hotloop.lint.source_model.kind_inference import Kind
from hotloop.lint.source_model.position import Place
from hotloop.lint.source_model.source_file import SourceFile


class NonBlockingUnpinned:
    code = "SY09"
    page = Page(
        title="`non_blocking` without pinned memory, or the other way round",
        why="A copy to a CUDA device overlaps with the host only if it is asked to (`non_blocking=True`) *and* reads "
        "from pinned memory; either alone buys nothing.",
        cure="On CUDA, give the loader `pin_memory=True` and the copy `non_blocking=True`.",
        dynamic="Where the model lives on an accelerator, `hotloop diagnose` looks at `is_pinned()` of what `.to`, "
        "`.cuda` and `.copy_` copy to it, and at `non_blocking`.",
        traps="Reported only where all loaders of the file agree; `pin_memory` from a variable, loaders from elsewhere "
        "and `tensor.pin_memory()` keep the rule silent. Sync debug mode does not see it.",
    )
    nodes: tuple[type[ast.AST], ...] = ()
    calls = frozenset({"to", "cuda"})
    hot_only = True

    def check(self, node: ast.AST, file: SourceFile) -> Iterable[Hit]:
        assert isinstance(node, ast.Call)
        pinned = _pins(file)
        if pinned is None or not isinstance(node.func, ast.Attribute) or not _comes_from_loader(node.func.value, file):
            return
        asked = any(word.arg == "non_blocking" and _is_true(word.value) for word in node.keywords)
        if asked and not pinned:
            yield Hit(node, "`non_blocking=True` from a loader without `pin_memory=True`: the copy waits all the same")
        elif pinned and not _mentions_non_blocking(node) and _names_device(node, file):
            yield Hit(node, "the loader pins its batches, but the copy does not say `non_blocking=True`, so it waits")


def _pins(file: SourceFile) -> bool | None:
    """What all loaders of the file do; None where they differ, or the source does not tell."""
    if file.calls("pin_memory"):
        return None
    answers: set[bool | None] = set()
    for call in file.calls("DataLoader"):
        named = {word.arg: word.value for word in call.keywords}
        if None in named:
            return None
        given = named.get("pin_memory")
        constant = isinstance(given, ast.Constant)
        answers.add(False if given is None else bool(given.value) if constant else None)  # type: ignore[union-attr]
    return answers.pop() if len(answers) == 1 else None


def _comes_from_loader(receiver: ast.expr, file: SourceFile) -> bool:
    if isinstance(receiver, ast.Subscript):
        receiver = receiver.value
    bound = file.binding(receiver) if isinstance(receiver, ast.Name) else None
    if bound is None or bound.how not in ("for", "for-unpack"):
        return False
    place: Place = file.place(receiver)
    loaders = [loop.node for loop in place.loops if loop.iterates_loader]
    of = file.kind(receiver)
    return bound.statement in loaders or (of in (Kind.TENSOR, Kind.BATCH) and bool(loaders))


def _is_true(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is True


def _mentions_non_blocking(node: ast.Call) -> bool:
    return any(word.arg in ("non_blocking", None) for word in node.keywords)


def _names_device(node: ast.Call, file: SourceFile) -> bool:
    assert isinstance(node.func, ast.Attribute)
    if node.func.attr == "cuda":
        return True
    given = [*node.args[:1], *(word.value for word in node.keywords if word.arg == "device")]
    return any(_is_device(value, file) for value in given)


def _is_device(value: ast.expr, file: SourceFile) -> bool:
    if isinstance(value, ast.Constant):
        return isinstance(value.value, str) and value.value.startswith("cuda")
    return "device" in file.name_of(value).rpartition(".")[2].lower()
