"""OP09: an accumulator whose precision nobody chose."""

import ast
from collections.abc import Iterable

from hotloop.lint.rule import Hit, Page
from hotloop.lint.source_model.arguments import argument, is_literal
from hotloop.lint.source_model.names import dotted, last_name
from hotloop.lint.source_model.source_file import SourceFile


class AccumulatorWithoutDtype:
    code = "OP09"
    page = Page(
        title="an accumulator whose precision nobody chose",
        why="`torch.zeros(())` takes the default dtype. In float32 a sum over some hundred thousand batches drifts, in "
        "bfloat16 it stops growing after a few hundred.",
        cure="`torch.zeros((), dtype=torch.float64, device=device)` for sums that are reported; int64 for counts.",
        dynamic="The same sum in float64 next to it, in an A/B run.",
        traps="Sums of a few terms that are then differentiated (the losses of several heads), running maxima and "
        "accumulators with a dtype are not reported.",
    )
    nodes: tuple[type[ast.AST], ...] = (ast.Assign,)
    calls: frozenset[str] = frozenset()
    hot_only = False

    def check(self, node: ast.AST, file: SourceFile) -> Iterable[Hit]:
        assert isinstance(node, ast.Assign)
        name = dotted(node.targets[0])
        if not name or not _is_float_zero(node.value, file):
            return
        scope = file.place(node).scope
        if any(dotted(call.func) == f"{name}.backward" for call in file.calls("backward")):
            return
        for adds in [*file.all(ast.AugAssign), *file.all(ast.Assign), *file.calls("add_")]:
            if file.order(adds) > file.order(node) and file.place(adds).scope is scope and _adds(adds, name, file):
                loops = file.place(adds).loops
                if loops and loops[-1].is_batch_loop and not file.holds(loops[-1].node, node):
                    yield Hit(node, f"`{name}` adds up over all batches in the default dtype")
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


def _adds(node: ast.AST, name: str, file: SourceFile) -> bool:
    """Whether a statement or call adds something that is not a count to the accumulator."""
    if isinstance(node, ast.Call):
        return dotted(node.func) == f"{name}.add_" and not _counts(node, file)
    if isinstance(node, ast.AugAssign):
        return isinstance(node.op, ast.Add) and dotted(node.target) == name and not _counts(node.value, file)
    if isinstance(node, ast.Assign) and dotted(node.targets[0]) == name and isinstance(node.value, ast.BinOp):
        return isinstance(node.value.op, ast.Add) and dotted(node.value.left) == name and not _counts(node.value, file)
    return False


def _counts(value: ast.AST, file: SourceFile) -> bool:
    """Whether what is added is a whole number, which float32 holds exactly up to 2**24."""
    for part in file.within(value):
        if isinstance(part, ast.Compare) or (
            isinstance(part, ast.Call) and last_name(part.func) in ("len", "size", "numel")
        ):
            return True
    return isinstance(value, ast.Constant)
