"""CO02: `try` around the wrap of `torch.compile`."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.compile_calls import is_compile
from hotloop.lint.source_model.expressions import last_name

_BESIDE = frozenset({"print", "debug", "info", "warning", "log", "warn"})


class TryAroundCompile(Rule[ast.Try]):
    code = "CO02"
    doc = RuleDoc(
        title="`try`/`except` around the wrap, not around the first call",
        why="`torch.compile(model)` compiles in the first call: this `except` catches nothing that can go wrong.",
        cure="Drop the `try`, or guard the first call: warn, and let out-of-memory and the model's own errors pass.",
        at_runtime="The compile counters of `hotloop diagnose` show whether anything was compiled.",
        not_reported="A `try` that calls the compiled function too, or whose handlers all raise, is not reported.",
    )
    nodes = (ast.Try,)

    def check(self, node: ast.Try, file: SourceFile) -> Violations:
        calls = [call for statement in node.body for call in file.within(statement, ast.Call)]
        wraps = [call for call in calls if is_compile(call, file)]
        if not wraps or all(isinstance(handler.body[-1], ast.Raise) for handler in node.handlers):
            return
        if all(_only_wraps(statement, file) for statement in node.body):
            for wrap in wraps:
                yield Violation(wrap, "compiles nothing yet, so the `except` around it never sees a failed compilation")


def _only_wraps(statement: ast.stmt, file: SourceFile) -> bool:
    if isinstance(statement, (ast.Assign, ast.Return, ast.Expr, ast.AnnAssign)) and statement.value is not None:
        value = statement.value
        return (
            is_compile(value, file)
            or (isinstance(value, ast.Call) and last_name(value.func) in _BESIDE)
            or (not isinstance(statement, ast.Expr) and isinstance(value, (ast.Constant, ast.Name, ast.Attribute)))
        )
    if isinstance(statement, ast.If):
        return all(_only_wraps(inner, file) for inner in [*statement.body, *statement.orelse])
    return isinstance(statement, (ast.Import, ast.ImportFrom, ast.Pass))
