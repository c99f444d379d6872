"""OP09: an accumulator whose precision nobody chose."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.expressions import argument, dotted, is_literal


class AccumulatorWithoutDtype(Rule[ast.Assign]):
    code = "OP09"
    doc = RuleDoc(
        title="an accumulator whose precision nobody chose",
        why="`torch.zeros(())` takes the default dtype. In float32 a sum over some hundred thousand batches drifts, in "
        "bfloat16 it stops growing after a few hundred.",
        cure="`torch.zeros((), dtype=torch.float64, device=device)` for sums that are reported; int64 for counts.",
        at_runtime="The same sum in float64 next to it, in an A/B run.",
        not_reported="Sums of a few terms that are then differentiated (the losses of several heads), running maxima "
        "and accumulators with a dtype are not reported.",
    )
    nodes = (ast.Assign,)

    def check(self, node: ast.Assign, file: SourceFile) -> Violations:
        name = dotted(node.targets[0])
        if not name or not _is_float_zero(node.value, file):
            return
        scope = file.position(node).scope
        if any(dotted(call.func) == f"{name}.backward" for call in file.calls("backward")):
            return
        for adds in [*file.all(ast.AugAssign), *file.all(ast.Assign), *file.calls("add_")]:
            position = file.position(adds)
            if file.order(adds) > file.order(node) and position.scope is scope and _adds(adds, name, file):
                loops = position.loops
                if loops and loops[-1].is_batch_loop and not file.holds(loops[-1].node, node):
                    yield Violation(node, f"`{name}` adds up over all batches in the default dtype")
                    return


def _is_float_zero(value: ast.expr, file: SourceFile) -> bool:
    if not isinstance(value, ast.Call) or argument(value, "dtype") is not None:
        return False
    name, first = file.name_of(value.func), value.args[0] if value.args else None
    if name == "torch.tensor":
        return is_literal(first, 0.0)
    if name != "torch.zeros" or len(value.args) > 1:
        return False
    if isinstance(first, (ast.Tuple, ast.List)):
        return all(is_literal(size, 1) for size in first.elts)
    return is_literal(first, 1)


def _adds(node: ast.Assign | ast.AugAssign | ast.Call, name: str, file: SourceFile) -> bool:
    """Whether a statement or call adds something that is not a count to the accumulator."""
    if isinstance(node, ast.Call):
        return dotted(node.func) == f"{name}.add_" and not _counts(node, file)
    if isinstance(node, ast.AugAssign):
        return isinstance(node.op, ast.Add) and dotted(node.target) == name and not _counts(node.value, file)
    if dotted(node.targets[0]) != name or not isinstance(node.value, ast.BinOp):
        return False
    return isinstance(node.value.op, ast.Add) and dotted(node.value.left) == name and not _counts(node.value, file)


def _counts(value: ast.AST, file: SourceFile) -> bool:
    """Whether what is added is a whole number, which float32 holds exactly up to 2**24."""
    if isinstance(value, ast.Constant) or file.within(value, ast.Compare):
        return True
    return not file.called_in(value).isdisjoint(("len", "size", "numel"))
