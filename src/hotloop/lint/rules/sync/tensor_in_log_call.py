"""SY06: a tensor formatted for a log line in hot code."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.expressions import receiver, values_given
from hotloop.lint.source_model.host_reads import is_read
from hotloop.lint.source_model.kind import Kind

_LEVELS = frozenset({"debug", "info", "warning", "log"})


class TensorInLogCall(Rule[ast.Call]):
    code = "SY06"
    doc = RuleDoc(
        title="a tensor read or formatted for a log line in every step",
        why="The arguments of a log call are computed even when its level is switched off: an f-string reads the "
        "tensor, `.item()` waits for the device, and the line is then dropped.",
        cure="Log every n steps, guard with `if logger.isEnabledFor(...)`, or pass the tensor itself to a lazy `%s` "
        "(`logger.debug('loss %s', loss)`), which is formatted only if the line is written.",
        at_runtime="Scalar reads and graph breaks on the line of a log call, in `hotloop diagnose`.",
        not_reported="`logger.debug('loss %s', loss)`, a line under `isEnabledFor` or `if step % n == 0`, and messages "
        "of raised errors are not reported. Ruff's G004 reports every f-string in a log call, tensor or not.",
    )
    calls = _LEVELS | {"print"}
    hot_only = True

    def check(self, node: ast.Call, file: SourceFile) -> Violations:
        prints = isinstance(node.func, ast.Name) and node.func.id == "print"
        tests = [above.test for above in file.ancestors(node) if isinstance(above, ast.If)]
        is_guarded = any("isEnabledFor" in file.attributes_in(test) for test in tests)
        of = receiver(node)
        logs = of is not None and (file.kind(of) is Kind.LOGGER or file.name_of(of) == "logging")
        if is_guarded or not (prints or logs):
            return
        if any(_is_eager(argument, file, prints=prints) for argument in node.args):
            what = "`print`" if prints else "a log call"
            yield Violation(node, f"{what} reads a tensor {file.often(node)}, whether or not the line is looked at")


def _is_eager(argument: ast.expr, file: SourceFile, *, prints: bool) -> bool:
    if prints and file.kind(argument) is Kind.TENSOR:
        return True
    if isinstance(argument, ast.Call) and file.kind(argument) is Kind.TENSOR:
        return not (isinstance(argument.func, ast.Attribute) and argument.func.attr in ("detach", "view", "reshape"))
    return any(is_read(part, file) or _formats(part, file) for part in file.within(argument))


def _formats(part: ast.AST, file: SourceFile) -> bool:
    if isinstance(part, ast.FormattedValue):
        return file.kind(part.value) is Kind.TENSOR
    if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Mod) and isinstance(part.left, ast.Constant):
        values = part.right.elts if isinstance(part.right, ast.Tuple) else [part.right]
        return any(file.is_tensor(value) for value in values)
    if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.func.attr == "format":
        return any(file.is_tensor(value) for value in values_given(part))
    return False
