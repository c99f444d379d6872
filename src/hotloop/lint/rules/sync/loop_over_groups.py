"""SY05: a Python loop over the groups or elements of a tensor."""

import ast
from collections.abc import Iterable

from hotloop.lint.rule import Hit, Page
from hotloop.lint.source_model.host_reads import is_read
from hotloop.lint.source_model.kind_inference import Kind
from hotloop.lint.source_model.names import last_name
from hotloop.lint.source_model.source_file import SourceFile

_UNIQUE = ("unique", "unique_consecutive")


class LoopOverGroups:
    code = "SY05"
    page = Page(
        title="a Python loop over `torch.unique` or over the elements of a tensor",
        why="Each turn reads a value, selects by a mask (another read) and starts a handful of tiny kernels; the cost "
        "grows with the number of groups.",
        cure="Treat all groups at once: number them with `torch.unique(..., return_inverse=True)` (once, outside the "
        "step, where the groups are fixed) and sum with `index_add_` or `scatter_reduce`.",
        dynamic="A burst of scalar reads from one line, in `hotloop diagnose`.",
        traps="A loop over a tensor that reads nothing (rows of a batch) is not reported. Outside hot code only "
        "functions with `loss` in their name are looked at: they are called for every batch.",
    )
    nodes = (ast.For, ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp)
    calls: frozenset[str] = frozenset()
    hot_only = False

    def check(self, node: ast.AST, file: SourceFile) -> Iterable[Hit]:
        assert isinstance(node, (ast.For, ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp))
        if not _runs_often(node, file):
            return
        pairs = (
            [(node.iter, node.target)]
            if isinstance(node, ast.For)
            else [(generator.iter, generator.target) for generator in node.generators]
        )
        for iterable, target in pairs:
            if _over_unique(iterable, file):
                yield Hit(node, "loops in Python over the groups of a tensor: reads and tiny kernels for each group")
            elif _reads_elements(node, iterable, target, file):
                yield Hit(node, "loops in Python over the elements of a tensor and reads each of them")


def _runs_often(node: ast.AST, file: SourceFile) -> bool:
    hot = file.hot(node)
    if hot is not None:
        return not hot.loads_data
    function = file.place(node).scope.function
    return function is not None and "loss" in function.name.lower()


def _over_unique(iterable: ast.expr, file: SourceFile) -> bool:
    for part in file.within(iterable):
        if isinstance(part, ast.Call) and last_name(part.func) in _UNIQUE:
            name = file.name_of(part.func)
            if name.startswith("torch.") or (isinstance(part.func, ast.Attribute) and file.is_tensor(part.func.value)):
                return True
    bound = file.binding(iterable) if isinstance(iterable, ast.Name) else None
    if bound is None or bound.how != "assign" or not isinstance(bound.value, ast.Call):
        return False
    return last_name(bound.value.func) in _UNIQUE and file.is_tensor(bound.value)


def _reads_elements(node: ast.AST, iterable: ast.expr, target: ast.expr, file: SourceFile) -> bool:
    elements = {part.id for part in file.within(target) if isinstance(part, ast.Name)}
    if file.kind(iterable) is Kind.TENSOR:
        return any(_root(read) in elements for read in file.within(node) if is_read(read, file))
    if isinstance(iterable, ast.Call) and last_name(iterable.func) == "range":
        reads = [read for read in file.within(node) if is_read(read, file)]
        return any(_is_indexed(read, elements, file) for read in reads)
    return False


def _read_value(read: ast.AST) -> ast.expr | None:
    if not isinstance(read, ast.Call):
        return None
    return read.func.value if isinstance(read.func, ast.Attribute) else read.args[0]


def _root(read: ast.AST) -> str:
    value = _read_value(read)
    while isinstance(value, (ast.Attribute, ast.Subscript, ast.Call)):
        value = value.func if isinstance(value, ast.Call) else value.value
    return value.id if isinstance(value, ast.Name) else ""


def _is_indexed(read: ast.AST, indexes: set[str], file: SourceFile) -> bool:
    value = _read_value(read)
    if not isinstance(value, ast.Subscript) or file.kind(value.value) is not Kind.TENSOR:
        return False
    return any(isinstance(part, ast.Name) and part.id in indexes for part in file.within(value.slice))
