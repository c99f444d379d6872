"""DA13: episodes or windows gathered one step at a time, then stacked."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.expressions import dotted
from hotloop.lint.source_model.position import Loop

_STACKS = ("stack", "vstack", "array", "tensor", "cat", "concatenate")


class WindowsGatheredByStep(Rule[ast.Call]):
    code = "DA13"
    doc = RuleDoc(
        title="windows gathered one step at a time, then stacked",
        why="Two Python loops take and stack single rows: B x T small operations, where one gather does the same.",
        cure="Make the (B, T) index once and gather with it: `x[starts[:, None] + torch.arange(T)]`.",
        at_runtime="Operators for each sample, in `hotloop diagnose`.",
        not_reported="Loops that compute each step from the one before (a rollout) cannot be gathered and are not "
        "reported, nor lists that are never stacked, nor loops that skip some rows.",
    )
    calls = frozenset({"append"})

    def check(self, node: ast.Call, file: SourceFile) -> Violations:
        loops = file.position(node).loops
        name = dotted(node.func.value) if isinstance(node.func, ast.Attribute) else ""
        if not name or len(loops) < 2 or len(node.args) != 1:
            return
        counters = {_counter(loop) for loop in loops[-2:]}
        innermost = loops[-1].node
        if file.parent(file.statement(node)) is not innermost or file.within(innermost, ast.Continue, ast.Break):
            return
        if "" in counters or not counters <= _indexes(node.args[0], file):
            return
        scope = file.position(node).scope
        stacks = [call for call in file.calls(*_STACKS) if file.position(call).scope is scope and call.args]
        named = [call for call in stacks if file.name_of(call.func).startswith(("torch.", "numpy."))]
        if any(dotted(call.args[0]) == name for call in named):
            yield Violation(node, "one row is taken in each pass of two loops, and the rows are stacked afterwards")


def _counter(loop: Loop) -> str:
    """What a loop over range() counts with, "" for any other loop."""
    over = loop.node
    if not isinstance(over, ast.For) or not isinstance(over.iter, ast.Call) or dotted(over.iter.func) != "range":
        return ""
    return dotted(over.target)


def _indexes(taken: ast.expr, file: SourceFile) -> set[str]:
    """The names that an expression `x[i][j]` indexes with; none where it is something else."""
    names: set[str] = set()
    while isinstance(taken, ast.Subscript):
        names |= file.names_in(taken.slice)
        taken = taken.value
    return names if dotted(taken) else set()
