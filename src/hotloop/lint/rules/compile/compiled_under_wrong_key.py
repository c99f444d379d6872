"""CO01: one compiled function kept for many models."""

import ast
from collections.abc import Iterable, Iterator

from hotloop.lint.rule import Hit, Page
from hotloop.lint.source_model.compile_calls import compile_calls, definition, names_in, subject
from hotloop.lint.source_model.names import last_name, looks_like_module
from hotloop.lint.source_model.source_file import SourceFile

_CACHES = ("functools.cache", "functools.lru_cache")


class CompiledUnderWrongKey:
    code = "CO01"
    page = Page(
        title="a compiled function cached on the wrong key",
        why="`torch.compile` keeps its graphs with the code object of what it compiles, eight of them by default. One "
        "compiled step for many models recompiles for each, and after the eighth runs eagerly for ever, without a "
        "word.",
        cure="Keep one compiled function for each model, made from a function of its own (a closure or `module.compile"
        "()`), in a dict whose key holds the model or its architecture.",
        dynamic="Recompiles counted for each code object, and the recompile limit reached, in `hotloop diagnose`.",
        traps="A cache keyed by the model, and a cached function that takes no model, are not reported.",
    )
    nodes = (ast.Module,)
    calls: frozenset[str] = frozenset()
    hot_only = False

    def check(self, node: ast.AST, file: SourceFile) -> Iterable[Hit]:
        for call in compile_calls(file):
            function = file.place(call).scope.function
            target = subject(call)
            if function is not None and target is not None and _is_kept_wrongly(call, target, function, file):
                yield Hit(call, "keeps one compiled function under a key that does not hold the model")


def _is_kept_wrongly(
    call: ast.Call, target: ast.expr, function: ast.FunctionDef | ast.AsyncFunctionDef, file: SourceFile
) -> bool:
    arguments = {argument.arg for argument in [*function.args.args, *function.args.kwonlyargs]}
    from_arguments = {part.id for part in file.within(target) if isinstance(part, ast.Name)} & arguments
    if any(_caches(decorator, file) for decorator in function.decorator_list):
        return not from_arguments and _takes_model(target, file)
    for where in _kept_in(call, file):
        if isinstance(where, ast.Subscript) and from_arguments:
            return not from_arguments & names_in(where.slice, file)
        if isinstance(where, ast.Name) and _is_global(where, function, file):
            return bool(from_arguments) or _takes_model(target, file)
    return False


def _caches(decorator: ast.expr, file: SourceFile) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return file.name_of(called) in _CACHES


def _takes_model(target: ast.expr, file: SourceFile) -> bool:
    function = definition(target, file)
    if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return False
    return any(
        looks_like_module(argument.arg)
        or (argument.annotation is not None and last_name(argument.annotation).endswith("Module"))
        for argument in function.args.args
    )


def _kept_in(call: ast.Call, file: SourceFile) -> Iterator[ast.expr]:
    statement = file.statement(call)
    if isinstance(statement, ast.Assign) and file.holds(statement.value, call):
        yield from statement.targets


def _is_global(name: ast.Name, function: ast.FunctionDef | ast.AsyncFunctionDef, file: SourceFile) -> bool:
    return any(isinstance(part, ast.Global) and name.id in part.names for part in file.within(function))
