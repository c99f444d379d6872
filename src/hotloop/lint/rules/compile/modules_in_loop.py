"""CO06: many small modules applied side by side in a Python loop."""

import ast
from collections.abc import Iterable

from hotloop.lint.rule import Hit, Page
from hotloop.lint.source_model.names import dotted, last_name
from hotloop.lint.source_model.source_file import SourceFile

_FEW = 4  # below, stacking is not worth its code


class ModulesInLoop:
    code = "CO06"
    page = Page(
        title="many small modules side by side in a Python loop",
        why="N heads applied one after the other start N times as many kernels, each too small to fill the device.",
        cure="Stack the weights and use one `torch.bmm`, one wide `Linear` or a grouped convolution, or map over the "
        "modules with `torch.func.stack_module_state` and `vmap`.",
        dynamic="Kernels for each step and module, in `hotloop diagnose`.",
        traps="Layers in sequence (`for layer in self.layers: x = layer(x)`) depend on each other and are not "
        f"reported; nor are lists that are seen to hold fewer than {_FEW} modules.",
    )
    nodes = (ast.For, ast.ListComp, ast.GeneratorExp)
    calls: frozenset[str] = frozenset()
    hot_only = True

    def check(self, node: ast.AST, file: SourceFile) -> Iterable[Hit]:
        assert isinstance(node, (ast.For, ast.ListComp, ast.GeneratorExp))
        if isinstance(node, ast.For):
            iterable, target, body = node.iter, node.target, list[ast.AST](node.body)
        else:
            iterable, target, body = node.generators[0].iter, node.generators[0].target, list[ast.AST]([node.elt])
        lists = _module_lists(iterable, body, file)
        calls = [part for below in body for part in file.within(below) if isinstance(part, ast.Call)]
        applied = [call for call in calls if _applies(call, target, lists, file)]
        if lists and applied and not any(_feeds_itself(call, node, body, file) for call in applied):
            yield Hit(node, f"applies the modules of `{lists[0]}` one by one, though none needs another's result")


def _module_lists(iterable: ast.expr, body: list[ast.AST], file: SourceFile) -> list[str]:
    """Names of the ModuleLists that a loop goes over, directly or by index."""
    parts = file.within(iterable)
    if isinstance(iterable, ast.Call) and last_name(iterable.func) == "range":
        parts = [inner.value for part in body for inner in file.within(part) if isinstance(inner, ast.Subscript)]
    found: list[str] = []
    for part in parts:
        bound = file.binding(part) if isinstance(part, (ast.Name, ast.Attribute)) and dotted(part) else None
        if bound is not None and isinstance(bound.value, ast.Call) and _is_long_list(bound.value, file):
            found.append(bound.name)
    return found


def _is_long_list(call: ast.Call, file: SourceFile) -> bool:
    if not file.name_of(call.func).endswith("nn.ModuleList"):
        return False
    given = call.args[0] if call.args else None
    return not (isinstance(given, (ast.List, ast.Tuple)) and len(given.elts) < _FEW and not _starred(given))


def _starred(given: ast.List | ast.Tuple) -> bool:
    return any(isinstance(element, ast.Starred) for element in given.elts)


def _applies(call: ast.Call, target: ast.expr, lists: list[str], file: SourceFile) -> bool:
    names = {part.id for part in file.within(target) if isinstance(part, ast.Name)}
    if isinstance(call.func, ast.Name):
        return call.func.id in names
    return isinstance(call.func, ast.Subscript) and dotted(call.func.value) in lists


def _feeds_itself(call: ast.Call, loop: ast.AST, body: list[ast.AST], file: SourceFile) -> bool:
    """Whether an argument of the call is set in the loop: then one module may need what another gave."""
    if not isinstance(loop, ast.For):
        return False
    scope = file.place(loop).scope
    read = {
        part.id
        for value in [*call.args, *(word.value for word in call.keywords)]
        for part in file.within(value)
        if isinstance(part, ast.Name)
    }
    return any(
        any(file.holds(statement, bound.target) for statement in body)
        for name in read
        for bound in file.bindings(scope, name)
    )
