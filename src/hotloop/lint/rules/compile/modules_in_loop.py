"""CO06: many small modules applied side by side in a Python loop."""

import ast
from collections.abc import Iterable

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.expressions import dotted, last_name, values_given
from hotloop.lint.source_model.node_types import iterations

_FEW = 4  # below, stacking is not worth its code


class ModulesInLoop(Rule[ast.For | ast.ListComp | ast.GeneratorExp]):
    code = "CO06"
    doc = RuleDoc(
        title="many small modules side by side in a Python loop",
        why="N heads applied one after the other start N times as many kernels, each too small to fill the device.",
        cure="Stack the weights and use one `torch.bmm`, one wide `Linear` or a grouped convolution, or map over the "
        "modules with `torch.func.stack_module_state` and `vmap`.",
        at_runtime="Kernels for each step and module, in `hotloop diagnose`.",
        not_reported="Layers in sequence (`for layer in self.layers: x = layer(x)`) depend on each other and are not "
        f"reported; nor are lists that are seen to hold fewer than {_FEW} modules.",
    )
    nodes = (ast.For, ast.ListComp, ast.GeneratorExp)
    hot_only = True

    def check(self, node: ast.For | ast.ListComp | ast.GeneratorExp, file: SourceFile) -> Violations:
        iterable, target = iterations(node)[0]
        body = node.body if isinstance(node, ast.For) else [node.elt]
        lists = _module_lists(iterable, body, file)
        applied = [
            call
            for part in body
            for call in file.within(part, ast.Call)
            if (isinstance(call.func, ast.Name) and call.func.id in file.names_in(target))
            or (isinstance(call.func, ast.Subscript) and dotted(call.func.value) in lists)
        ]
        if lists and applied and not any(_feeds_itself(call, node, file) for call in applied):
            yield Violation(node, f"applies the modules of `{lists[0]}` one by one, though none needs another's result")


def _module_lists(iterable: ast.expr, body: Iterable[ast.AST], file: SourceFile) -> list[str]:
    """Names of the ModuleLists that a loop goes over, directly or by index."""
    parts: Iterable[ast.expr] = file.within(iterable, ast.Name, ast.Attribute)
    if isinstance(iterable, ast.Call) and last_name(iterable.func) == "range":
        parts = [inner.value for part in body for inner in file.within(part, ast.Subscript)]
    bindings = [file.binding(part) for part in parts]
    return [binding.name for binding in bindings if binding is not None and _is_long_list(binding.value, file)]


def _is_long_list(made: ast.expr | None, file: SourceFile) -> bool:
    if not isinstance(made, ast.Call) or not file.name_of(made.func).endswith("nn.ModuleList"):
        return False
    given = made.args[0] if made.args else None
    if not isinstance(given, (ast.List, ast.Tuple)) or len(given.elts) >= _FEW:
        return True
    return any(isinstance(element, ast.Starred) for element in given.elts)


def _feeds_itself(call: ast.Call, loop: ast.AST, file: SourceFile) -> bool:
    """Whether an argument of the call is set in the loop: then one module may need what another gave."""
    if not isinstance(loop, ast.For):
        return False
    scope = file.position(loop).scope
    read = set[str]().union(*(file.names_in(value) for value in values_given(call)))
    return any(
        any(file.holds(statement, binding.target) for statement in loop.body)
        for name in read
        for binding in file.bindings(scope, name)
    )
