"""OP03: statistics of the gradients that are those of the last batch only."""

import ast
import re
from collections.abc import Iterable

from hotloop.lint.rule import Hit, Page
from hotloop.lint.source_model.names import last_name
from hotloop.lint.source_model.source_file import SourceFile

_NORMS = re.compile(r"clip_grad_norm_|get_total_norm|grad_norm")


class GradientStatsOfLastBatch:
    code = "OP03"
    page = Page(
        title="gradient statistics of the last batch only",
        why="The loop sets the figure anew in every step, and only what the last batch left is read after it. An "
        "explosion in the middle of the epoch is not seen.",
        cure="Keep a running maximum (or mean, and a count of non-finite values) on the device, and read it once after "
        "the loop.",
        dynamic="Gradient statistics over all steps, in `hotloop diagnose`.",
        traps="A figure that the loop itself reads (logs, adds up, compares) is not reported.",
    )
    nodes: tuple[type[ast.AST], ...] = (ast.Assign,)
    calls: frozenset[str] = frozenset()
    hot_only = True

    def check(self, node: ast.AST, file: SourceFile) -> Iterable[Hit]:
        assert isinstance(node, ast.Assign)
        place, target = file.place(node), node.targets[0]
        if not place.loops or not place.loops[-1].is_batch_loop or not isinstance(target, ast.Name):
            return
        if not _is_about_gradients(node.value, file):
            return
        loop = place.loops[-1].node
        uses = [use for use in place.scope.uses.get(target.id, []) if file.order(use) > file.order(node)]
        inside = [use for use in place.scope.uses.get(target.id, []) if file.holds(loop, use)]
        nested = any(use for use in _reads_in_functions(target.id, loop, file))
        if uses and not inside and not nested:
            yield Hit(node, f"`{target.id}` is read only after the loop: it tells of the last batch alone")


def _is_about_gradients(value: ast.expr, file: SourceFile) -> bool:
    for part in file.within(value):
        if isinstance(part, ast.Attribute) and part.attr == "grad":
            return isinstance(value, ast.Call)
        if isinstance(part, ast.Call) and _NORMS.search(last_name(part.func)):
            return True
    return False


def _reads_in_functions(name: str, loop: ast.AST, file: SourceFile) -> Iterable[ast.Name]:
    """Reads of the name under the loop in scopes of their own: lambdas, comprehensions, functions."""
    for part in file.within(loop):
        if isinstance(part, ast.Name) and part.id == name and isinstance(part.ctx, ast.Load):
            yield part
