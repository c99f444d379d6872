"""CO01: one compiled function kept for many models."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.compile_calls import compile_calls, compiled_part
from hotloop.lint.source_model.definitions import decorators, definition
from hotloop.lint.source_model.expressions import MODULE, is_usual, last_name
from hotloop.lint.source_model.node_types import FunctionDef

_CACHES = ("functools.cache", "functools.lru_cache")


class CompiledUnderWrongKey(Rule[ast.Module]):
    code = "CO01"
    doc = RuleDoc(
        title="a compiled function cached on the wrong key",
        why="`torch.compile` keeps its graphs with the code object of what it compiles, eight of them by default. One "
        "compiled step for many models recompiles for each, and after the eighth runs eagerly, silently.",
        cure="Keep one compiled function for each model, made from a function of its own (a closure or `module.compile"
        "()`), in a dict whose key holds the model or its architecture.",
        at_runtime="Recompiles counted for each code object, and the recompile limit reached, in `hotloop diagnose`.",
        not_reported="A cache keyed by the model, and a cached function that takes no model, are not reported.",
    )
    nodes = (ast.Module,)

    def check(self, node: ast.Module, file: SourceFile) -> Violations:
        for call in compile_calls(file):
            function = file.position(call).scope.function
            target = compiled_part(call)
            if function is not None and target is not None and _is_kept_wrongly(call, target, function, file):
                yield Violation(call, "keeps one compiled function under a key that does not hold the model")


def _is_kept_wrongly(call: ast.Call, target: ast.expr, function: FunctionDef, file: SourceFile) -> bool:
    arguments = {argument.arg for argument in [*function.args.args, *function.args.kwonlyargs]}
    from_arguments = file.names_in(target) & arguments
    if any(name in _CACHES for _, name in decorators(function, file)):
        return not from_arguments and _takes_model(target, file)
    statement = file.statement(call)
    if not isinstance(statement, ast.Assign) or not file.holds(statement.value, call):
        return False
    for kept_as in statement.targets:
        if isinstance(kept_as, ast.Subscript) and from_arguments:
            names = file.within(kept_as.slice, ast.Name)
            behind = [value for name in names if (value := file.assigned(name)) is not None]  # one assignment back
            return not any(from_arguments & file.names_in(part) for part in [kept_as.slice, *behind])
        shared = [name for part in file.within(function, ast.Global) for name in part.names]
        if isinstance(kept_as, ast.Name) and kept_as.id in shared:
            return bool(from_arguments) or _takes_model(target, file)
    return False


def _takes_model(target: ast.expr, file: SourceFile) -> bool:
    function = definition(target, file)
    if not isinstance(function, FunctionDef):
        return False
    return any(
        is_usual(argument.arg, MODULE)
        or (argument.annotation is not None and last_name(argument.annotation).endswith("Module"))
        for argument in function.args.args
    )
