"""OP02: an optimizer that updates one parameter at a time."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.expressions import argument, is_literal
from hotloop.lint.source_model.kind import Kind

_IN_PLACE = frozenset({"add_", "sub_", "mul_", "addcdiv_", "addcmul_", "lerp_", "copy_"})


class UpdatePerParameter(Rule[ast.keyword | ast.For]):
    code = "OP02"
    doc = RuleDoc(
        title="an optimizer that updates one parameter at a time",
        why="Each parameter takes several small operators; on a GPU launches cost more than the arithmetic.",
        cure="Leave `foreach` alone (on for CUDA), or say `fused=True`; in your own optimizer use `torch._foreach_*`.",
        at_runtime="The pattern OptimizerSingleTensor of the profiler, and kernels per step, in `hotloop diagnose`.",
        not_reported="`foreach=False` beside `fused=True` is not reported. On the CPU the gain is small: measure it.",
        transform="fused_optimizer",
    )
    nodes = (ast.keyword, ast.For)

    def check(self, node: ast.keyword | ast.For, file: SourceFile) -> Violations:
        if isinstance(node, ast.For):
            if _is_own_update(node, file):
                yield Violation(node, "this optimizer updates one parameter at a time")
            return
        call = file.parent(node)
        if node.arg == "foreach" and is_literal(node.value, False) and isinstance(call, ast.Call):
            fused = argument(call, "fused")
            if file.kind(call) is Kind.OPTIMIZER and (fused is None or is_literal(fused, False, None)):
                yield Violation(call, "`foreach=False` updates one parameter at a time")


def _is_own_update(node: ast.For, file: SourceFile) -> bool:
    """Whether the loop is `for p in group["params"]` with arithmetic in it, in the step of an optimizer's class."""
    over = node.iter
    if not isinstance(over, ast.Subscript) or not is_literal(over.slice, "params"):
        return False
    scope = file.position(node).scope
    if scope.owner is None or scope.function is None or scope.function.name != "step":
        return False
    if not any(file.name_of(base).rpartition(".")[2].endswith("Optimizer") for base in scope.owner.bases):
        return False
    if any(name.startswith("_foreach_") for name in file.attributes_in(scope.owner)):
        return False
    return not _IN_PLACE.isdisjoint(file.attributes_in(node))
