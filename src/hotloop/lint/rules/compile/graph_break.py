"""CO07: what breaks the graph of a compiled function."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.compile_calls import compiled_functions
from hotloop.lint.source_model.host_reads import is_read, tested_tensors
from hotloop.lint.source_model.kind import Kind

_BREAKERS = ("time.", "random.", "torch._dynamo.graph_break", "builtins.open")
_BUILTINS = frozenset({"print", "open", "input", "breakpoint"})


class GraphBreak(Rule[ast.Module]):
    code = "CO07"
    doc = RuleDoc(
        title="a graph break in a compiled function",
        why="At a `print`, a log call, a clock, a read of a tensor or a branch on one, the graph ends: the code "
        "between runs eagerly, and nothing is fused across.",
        cure="Move it out, or keep it on the device (`torch.where`, a counter buffer). `fullgraph=True` raises there.",
        at_runtime="Graph breaks and recompiles, reason and line, in `hotloop diagnose`; `TORCH_LOGS=graph_breaks`.",
        not_reported="Only functions that are compiled in the same file, and forwards of modules made there, are "
        "looked at; what they call is not. Recompiles cannot be seen in source.",
    )
    nodes = (ast.Module,)

    def check(self, node: ast.Module, file: SourceFile) -> Violations:
        functions = compiled_functions(file) if "compile" in file.text else ()
        statements = [statement for function in functions for statement in function.body]
        for part in (part for statement in statements for part in file.within(statement)):
            if isinstance(part, ast.Call) and (what := _breaking_call(part, file)):
                yield Violation(part, f"{what} ends the graph of a compiled function")
            elif isinstance(part, (ast.If, ast.While, ast.IfExp, ast.Assert)):
                for test in tested_tensors(part.test, file):
                    yield Violation(test, "a branch on a tensor ends the graph of a compiled function")


def _breaking_call(call: ast.Call, file: SourceFile) -> str:
    if isinstance(call.func, ast.Name) and call.func.id in _BUILTINS:
        return f"`{call.func.id}`"
    if is_read(call, file):
        return "a read of a tensor"
    if isinstance(call.func, ast.Attribute) and file.kind(call.func.value) is Kind.LOGGER:
        return "a log call"
    name = file.name_of(call.func)
    return f"`{name}`" if name.startswith(_BREAKERS) else ""
