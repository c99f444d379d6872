"""Where source makes the host wait for a tensor's value: reads by call, and truth tests."""

import ast
from collections.abc import Iterator

from hotloop.lint.source_model.kind import Kind
from hotloop.lint.source_model.source_file import SourceFile

CASTS = frozenset({"float", "int", "bool"})
_MATH_TESTS = frozenset({"math.isnan", "math.isinf", "math.isfinite"})
_HOST_KINDS = (Kind.ARRAY, Kind.FRAME, Kind.NUMBER, Kind.MODULE)


def is_cast(call: ast.Call, file: SourceFile) -> bool:
    """Whether a call is `float(t)`, `int(t)` or `bool(t)` of a tensor."""
    named = isinstance(call.func, ast.Name) and call.func.id in CASTS
    return named and len(call.args) == 1 and file.is_tensor(call.args[0])


def is_read(node: ast.AST, file: SourceFile) -> bool:
    """Whether a node is a call that gives Python or NumPy what a tensor holds."""
    if not isinstance(node, ast.Call):
        return False
    if not isinstance(node.func, ast.Attribute):
        return is_cast(node, file)
    if node.args:
        return False
    of = file.kind(node.func.value)
    if node.func.attr == "tolist":
        return of in (Kind.TENSOR, Kind.OUTPUT)
    return node.func.attr in ("item", "cpu", "numpy") and of not in _HOST_KINDS


def reads_in(node: ast.AST, file: SourceFile) -> list[ast.Call]:
    """All reads under a node, in order."""
    return [call for call in file.within(node, ast.Call) if is_read(call, file)]


def tested_tensors(test: ast.expr, file: SourceFile) -> Iterator[ast.expr]:
    """The parts of a condition (by and, or, not) that are tensors, so that Python has to ask for their truth."""
    if isinstance(test, ast.BoolOp):
        for value in test.values:
            yield from tested_tensors(value, file)
    elif isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        yield from tested_tensors(test.operand, file)
    elif _is_tested_tensor(test, file):
        yield test


def _is_tested_tensor(test: ast.expr, file: SourceFile) -> bool:
    kind = file.kind(test)
    if kind is Kind.TENSOR:
        return True
    if not isinstance(test, ast.Call):
        return False
    if file.name_of(test.func) in _MATH_TESTS:
        return len(test.args) == 1 and file.is_tensor(test.args[0])
    if isinstance(test.func, ast.Attribute) and test.func.attr in ("any", "all") and not test.args:
        hot = file.hot(test)
        in_step = hot is not None and hot.kind in ("forward", "step")  # what has `.any()` there is a tensor
        return kind is Kind.OUTPUT or (kind is Kind.UNKNOWN and in_step)
    return False
