"""ME02: a division by nothing that is made to look like a result."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.expressions import dotted, is_literal
from hotloop.lint.source_model.kind import Kind


class EmptyDataSetHidden(Rule[ast.BinOp]):
    code = "ME02"
    doc = RuleDoc(
        title="an empty data set reported as a perfect score",
        why="`total / max(1, n)` gives 0 where nothing was counted: an empty loader looks like a loss of zero.",
        cure="Raise where nothing was counted: `if num_seen == 0: raise ValueError('the loader is empty ...')`.",
        at_runtime="The same function on an empty loader, in a test.",
        not_reported="Reported only where `n` counts what a loop saw, or is the length of a loader. Schedules and "
        "widths (`step / max(1, num_warmup_steps)`) are arithmetic and are not.",
    )
    nodes = (ast.BinOp,)

    def check(self, node: ast.BinOp, file: SourceFile) -> Violations:
        right = node.right
        if not isinstance(node.op, ast.Div) or not isinstance(right, ast.Call) or dotted(right.func) != "max":
            return
        if len(right.args) != 2 or not any(is_literal(given, 1, 1.0) for given in right.args):
            return
        counts = [given for given in right.args if not isinstance(given, ast.Constant)]
        if counts and _counts_what_was_seen(counts[0], node, file):
            count = ast.unparse(counts[0])
            yield Violation(node, f"where nothing was seen, `max(1, {count})` turns it into a figure")


def _counts_what_was_seen(count: ast.expr, node: ast.BinOp, file: SourceFile) -> bool:
    """Whether it is the length of a loader, or a name that a loop which is over by now added to, from zero."""
    if isinstance(count, ast.Call) and dotted(count.func) == "len" and len(count.args) == 1:
        return file.kind(count.args[0]) is Kind.LOADER
    if not isinstance(count, ast.Name):
        return False
    bindings = file.bindings(file.position(node).scope, count.id)
    starts_at_zero = any(binding.how == "assign" and is_literal(binding.value, 0, 0.0) for binding in bindings)
    if not starts_at_zero and not any(binding.how == "unpack" for binding in bindings):
        return False
    loops = [
        loop for binding in bindings if binding.how == "aug" for loop in file.position(binding.statement).loops[-1:]
    ]
    return any(loop.iterates_loader and not file.holds(loop.node, node) for loop in loops)
