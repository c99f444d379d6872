"""SY10: a constant sent to the device in hot code."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.expressions import argument, is_literal

_MAKERS = frozenset({"tensor", "as_tensor", "Tensor", "FloatTensor", "LongTensor"})


class ConstantSentPerStep(Rule[ast.Call]):
    code = "SY10"
    doc = RuleDoc(
        title="the same constant sent to the device for every batch",
        why="`torch.tensor([...], device=dev)` builds on the host and copies, each step, values that never change.",
        cure="Make it once, before the loop or in `__init__` with `register_buffer`; for one repeated value use "
        "`torch.full`, `torch.zeros` or a plain Python number.",
        at_runtime="`lift_fresh` and `_to_copy` from the CPU for each batch, in `hotloop diagnose`.",
        not_reported="Tensors of values that change, `torch.zeros` and `torch.full` (they fill on the device), and "
        "`torch.tensor(2.0)` without a device (a host scalar that is never copied) are not reported.",
    )
    calls = _MAKERS
    hot_only = True

    def check(self, node: ast.Call, file: SourceFile) -> Violations:
        hot = file.hot(node)
        library, _, name = file.name_of(node.func).rpartition(".")
        if hot is None or hot.loads_data or library != "torch" or name not in _MAKERS or not node.args:
            return
        if _goes_to_device(node, file) and is_constant(node.args[0], file, outside=hot.node):
            yield Violation(node, f"sends the same constant to the device {hot.often}")


def _goes_to_device(node: ast.Call, file: SourceFile) -> bool:
    device = argument(node, "device")
    if device is not None:
        return not is_literal(device, "cpu", None)
    above = file.parent(node)
    if not isinstance(above, ast.Attribute) or above.attr not in ("to", "cuda"):
        return False
    call = file.parent(above)
    given = call.args[:1] if isinstance(call, ast.Call) else []
    return not any(is_literal(value, "cpu") for value in given)


def is_constant(value: ast.expr, file: SourceFile, *, outside: ast.AST) -> bool:
    """Whether an expression has the same value every time that the code under `outside` runs, as far as is seen."""
    if isinstance(value, ast.Constant):
        return True
    if isinstance(value, ast.UnaryOp):
        return is_constant(value.operand, file, outside=outside)
    if isinstance(value, (ast.List, ast.Tuple)):
        return all(is_constant(element, file, outside=outside) for element in value.elts)
    if isinstance(value, ast.Attribute):
        return _is_set_in_init(value, file)
    assigned = file.assigned(value)
    if assigned is None or file.holds(outside, assigned):
        return False
    return is_constant(assigned, file, outside=outside)


def _is_set_in_init(value: ast.Attribute, file: SourceFile) -> bool:
    """Whether it is an attribute that is set to a plain value, and in `__init__` alone."""
    bindings = file.bindings_of(value)
    functions = [file.position(binding.target).scope.function for binding in bindings]
    if not bindings or any(function is None or function.name != "__init__" for function in functions):
        return False
    return all(binding.value is not None and not file.is_tensor(binding.value) for binding in bindings)
