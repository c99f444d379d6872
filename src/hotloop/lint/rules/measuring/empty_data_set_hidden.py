"""ME02: a division by nothing that is made to look like a result."""

import ast
from collections.abc import Iterable

from hotloop.lint.rule import Hit, Page
from hotloop.lint.source_model.arguments import is_literal
from hotloop.lint.source_model.kind_inference import Kind
from hotloop.lint.source_model.names import dotted
from hotloop.lint.source_model.source_file import SourceFile


class EmptyDataSetHidden:
    code = "ME02"
    page = Page(
        title="an empty data set reported as a perfect score",
        why="`total / max(1, n)` gives 0 where nothing was counted: a loss of zero for an empty loader, and nobody "
        "hears of the empty split.",
        cure="Raise where nothing was counted: `if num_seen == 0: raise ValueError('the loader is empty ...')`.",
        dynamic="The same function on an empty loader, in a test.",
        traps="Reported only where `n` counts what a loop saw, or is the length of a loader. Schedules and widths "
        "(`step / max(1, num_warmup_steps)`) are arithmetic and are not.",
    )
    nodes: tuple[type[ast.AST], ...] = (ast.BinOp,)
    calls: frozenset[str] = frozenset()
    hot_only = False

    def check(self, node: ast.AST, file: SourceFile) -> Iterable[Hit]:
        assert isinstance(node, ast.BinOp)
        right = node.right
        if not isinstance(node.op, ast.Div) or not isinstance(right, ast.Call) or dotted(right.func) != "max":
            return
        if len(right.args) != 2 or not any(is_literal(given, 1, 1.0) for given in right.args):
            return
        counts = [given for given in right.args if not isinstance(given, ast.Constant)]
        if counts and _counts_what_was_seen(counts[0], node, file):
            yield Hit(node, f"where nothing was seen, `max(1, {ast.unparse(counts[0])})` turns it into a figure")


def _counts_what_was_seen(count: ast.expr, node: ast.BinOp, file: SourceFile) -> bool:
    """Whether it is the length of a loader, or a name that a loop which is over by now added to, from zero."""
    if isinstance(count, ast.Call) and dotted(count.func) == "len" and len(count.args) == 1:
        return file.kind(count.args[0]) is Kind.LOADER
    if not isinstance(count, ast.Name):
        return False
    bindings = file.bindings(file.place(node).scope, count.id)
    starts_at_zero = any(b.how == "assign" and b.value is not None and _is_zero(b.value) for b in bindings)
    if not starts_at_zero and not any(b.how == "unpack" for b in bindings):
        return False
    for binding in bindings:
        loops = file.place(binding.statement).loops if binding.how == "aug" else ()
        if loops and not file.holds(loops[-1].node, node) and loops[-1].iterates_loader:
            return True
    return False


def _is_zero(value: ast.expr) -> bool:
    return is_literal(value, 0, 0.0)
