"""OP03: statistics of the gradients that are those of the last batch only."""

import ast
import re

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.expressions import last_name

_NORMS = re.compile(r"clip_grad_norm_|get_total_norm|grad_norm")


class GradientStatsOfLastBatch(Rule[ast.Assign]):
    code = "OP03"
    doc = RuleDoc(
        title="gradient statistics of the last batch only",
        why="The loop overwrites the figure in every step, and only what the last batch left is read after it. An "
        "explosion in the middle of the epoch is not seen.",
        cure="Keep a running maximum (or mean, and non-finite count) on the device; read it once after the loop.",
        at_runtime="Gradient statistics over all steps, in `hotloop diagnose`.",
        not_reported="A figure that the loop itself reads (logs, adds up, compares) is not reported.",
    )
    nodes = (ast.Assign,)
    hot_only = True

    def check(self, node: ast.Assign, file: SourceFile) -> Violations:
        position, target = file.position(node), node.targets[0]
        if not position.loops or not position.loops[-1].is_batch_loop or not isinstance(target, ast.Name):
            return
        if not _is_about_gradients(node.value, file):
            return
        loop = position.loops[-1].node
        inside = (part for part in file.within(loop, ast.Name) if part.id == target.id)
        if any(isinstance(part.ctx, ast.Load) for part in inside):
            return
        if any(file.order(use) > file.order(node) for use in file.uses(position.scope, target.id)):
            yield Violation(node, f"`{target.id}` is read only after the loop: it is that of the last batch alone")


def _is_about_gradients(value: ast.expr, file: SourceFile) -> bool:
    for part in file.within(value):
        if isinstance(part, ast.Attribute) and part.attr == "grad":
            return isinstance(value, ast.Call)
        if isinstance(part, ast.Call) and _NORMS.search(last_name(part.func)):
            return True
    return False
