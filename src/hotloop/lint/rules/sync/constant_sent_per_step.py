"""SY10: a constant sent to the device in hot code."""

import ast
from collections.abc import Iterable

from hotloop.lint.rule import Hit, Page
from hotloop.lint.source_model.source_file import SourceFile

_MAKERS = ("torch.tensor", "torch.as_tensor", "torch.Tensor", "torch.FloatTensor", "torch.LongTensor")


class ConstantSentPerStep:
    code = "SY10"
    page = Page(
        title="the same constant sent to the device for every batch",
        why="`torch.tensor([...], device=dev)` builds a tensor on the host and copies it, in every step, though its "
        "values never change.",
        cure="Make it once, before the loop or in `__init__` with `register_buffer`; for one repeated value use "
        "`torch.full`, `torch.zeros` or a plain Python number.",
        dynamic="`lift_fresh` and `_to_copy` from the CPU for each batch, in `hotloop diagnose`.",
        traps="Tensors of values that change, `torch.zeros` and `torch.full` (they fill on the device), and "
        "`torch.tensor(2.0)` without a device (a host scalar that is never copied) are not reported.",
    )
    nodes: tuple[type[ast.AST], ...] = ()
    calls = frozenset({"tensor", "as_tensor", "Tensor", "FloatTensor", "LongTensor"})
    hot_only = True

    def check(self, node: ast.AST, file: SourceFile) -> Iterable[Hit]:
        assert isinstance(node, ast.Call)
        hot = file.hot(node)
        if hot is None or hot.loads_data or file.name_of(node.func) not in _MAKERS or not node.args:
            return
        if _goes_to_device(node, file) and is_constant(node.args[0], file, outside=hot.node):
            yield Hit(node, f"sends the same constant to the device {hot.often}")


def _goes_to_device(node: ast.Call, file: SourceFile) -> bool:
    for word in node.keywords:
        if word.arg == "device":
            return not (isinstance(word.value, ast.Constant) and word.value.value in ("cpu", None))
    above = file.parent(node)
    if not isinstance(above, ast.Attribute) or above.attr not in ("to", "cuda"):
        return False
    call = file.parent(above)
    given = call.args[:1] if isinstance(call, ast.Call) else []
    return not any(isinstance(value, ast.Constant) and value.value == "cpu" for value in given)


def is_constant(value: ast.expr, file: SourceFile, *, outside: ast.AST) -> bool:
    """Whether an expression has the same value in every turn of what `outside` holds, as far as the source tells."""
    if isinstance(value, ast.Constant):
        return True
    if isinstance(value, ast.UnaryOp):
        return is_constant(value.operand, file, outside=outside)
    if isinstance(value, (ast.List, ast.Tuple)):
        return all(is_constant(element, file, outside=outside) for element in value.elts)
    if isinstance(value, ast.Attribute):
        return _set_in_init(value, file)
    bound = file.binding(value) if isinstance(value, ast.Name) else None
    if bound is None or bound.how != "assign" or bound.value is None or file.holds(outside, bound.statement):
        return False
    return is_constant(bound.value, file, outside=outside)


def _set_in_init(value: ast.Attribute, file: SourceFile) -> bool:
    """`self.x`, set to a plain value and in `__init__` alone."""
    bound = file.binding(value)
    owner = file.place(value).scope.owner
    if bound is None or owner is None:
        return False
    every = file.bindings(file.scope(owner), bound.name)
    functions = [file.place(binding.target).scope.function for binding in every]
    if any(function is None or function.name != "__init__" for function in functions):
        return False
    return all(binding.value is not None and not file.is_tensor(binding.value) for binding in every)
