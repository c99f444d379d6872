"""SY05: a Python loop over the groups or elements of a tensor."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.expressions import last_name, receiver
from hotloop.lint.source_model.host_reads import reads_in
from hotloop.lint.source_model.kind import Kind
from hotloop.lint.source_model.node_types import iterations

_UNIQUE = ("unique", "unique_consecutive")


class LoopOverGroups(Rule[ast.For | ast.expr]):
    code = "SY05"
    doc = RuleDoc(
        title="a Python loop over `torch.unique` or over the elements of a tensor",
        why="Each pass reads a value, selects by a mask (a read too) and starts tiny kernels: a cost for each group.",
        cure="Treat all groups at once: number them with `torch.unique(..., return_inverse=True)` (once, outside the "
        "step, where the groups are fixed) and sum with `index_add_` or `scatter_reduce`.",
        at_runtime="A burst of scalar reads from one line, in `hotloop diagnose`.",
        not_reported="A loop over a tensor that reads nothing (rows of a batch) is not reported. Outside hot code only "
        "functions with `loss` in their name are looked at: they are called for every batch.",
    )
    nodes = (ast.For, ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp)

    def check(self, node: ast.For | ast.expr, file: SourceFile) -> Violations:
        hot, function = file.hot(node), file.position(node).scope.function
        in_loss = function is not None and "loss" in function.name.lower()
        if hot.loads_data if hot is not None else not in_loss:
            return
        for iterable, target in iterations(node):
            if _over_unique(iterable, file):
                yield Violation(node, "loops in Python over the groups of a tensor: reads and tiny kernels for each")
            elif _reads_elements(node, iterable, target, file):
                yield Violation(node, "loops in Python over the elements of a tensor and reads each of them")


def _over_unique(iterable: ast.expr, file: SourceFile) -> bool:
    for call in file.within(iterable, ast.Call):
        if last_name(call.func) in _UNIQUE:
            of = receiver(call)
            if file.name_of(call.func).startswith("torch.") or (of is not None and file.is_tensor(of)):
                return True
    value = file.assigned(iterable)
    return isinstance(value, ast.Call) and last_name(value.func) in _UNIQUE and file.is_tensor(value)


def _reads_elements(node: ast.AST, iterable: ast.expr, target: ast.expr, file: SourceFile) -> bool:
    elements = file.names_in(target)
    read = [receiver(call) or call.args[0] for call in reads_in(node, file)]
    if file.kind(iterable) is Kind.TENSOR:
        return any(_root(value) in elements for value in read)
    if isinstance(iterable, ast.Call) and last_name(iterable.func) == "range":
        parts = [value for value in read if isinstance(value, ast.Subscript) and file.kind(value.value) is Kind.TENSOR]
        return any(elements & file.names_in(part.slice) for part in parts)
    return False


def _root(value: ast.expr) -> str:
    while isinstance(value, (ast.Attribute, ast.Subscript, ast.Call)):
        value = value.func if isinstance(value, ast.Call) else value.value
    return value.id if isinstance(value, ast.Name) else ""
