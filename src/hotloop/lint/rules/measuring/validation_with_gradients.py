"""ME04: validation that builds graphs, or leaves the model in evaluation mode."""

import ast
import re

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.kind import Kind
from hotloop.lint.source_model.module_calls import calls_module
from hotloop.lint.source_model.node_types import FunctionDef

_EVALUATES = re.compile(
    r"(^|_)(eval|evaluate|evaluation|valid|validate|validation|predict|infer|inference|accuracy)(_|$)"
)
_GUARDS = frozenset({"no_grad", "inference_mode", "set_grad_enabled", "enable_grad", "requires_grad_", "set_mode"})
_TRAINS = frozenset({"backward", "zero_grad", "grad", "manual_backward", "step"})


class ValidationWithGradients(Rule[ast.For | ast.ListComp | ast.Call]):
    code = "ME04"
    doc = RuleDoc(
        title="validation that records gradients, or a model left in evaluation mode",
        why="Without `torch.inference_mode()` every forward keeps what a backward would need: memory and time for "
        "nothing. And after `model.eval()` dropout and batch norm stay frozen until somebody calls `model.train()`.",
        cure="`with torch.inference_mode():` around the loop, and `model.train()` again in a `finally`.",
        at_runtime="Gradient mode and the training flag at the loader of an evaluation, in `hotloop diagnose`.",
        not_reported="A function that calls backward, one that is called under `no_grad` in this file, Lightning's "
        "hooks, and a file that calls `.train()` again are not reported.",
    )
    nodes = (ast.For, ast.ListComp)
    calls = frozenset({"eval"})

    def check(self, node: ast.For | ast.ListComp | ast.Call, file: SourceFile) -> Violations:
        if isinstance(node, ast.Call):
            if _is_left_in_evaluation(node, file):
                yield Violation(node, "training goes on after this, and nothing calls `.train()` again")
            return
        function = file.position(node).scope.function
        inside = node.body[0] if isinstance(node, ast.For) else node.elt
        is_over_loader = file.position(inside).loops[-1].iterates_loader
        if function is None or not is_over_loader:
            return
        called = file.called_in(function)
        evaluates = _EVALUATES.search(function.name) or function.name == "test" or "eval" in called
        if not evaluates or called & _TRAINS:
            return
        runs_module = any(calls_module(call, file) for call in file.within(node, ast.Call))
        imported = [alias.name for node in file.all(ast.Import) for alias in node.names]
        imported += [node.module or "" for node in file.all(ast.ImportFrom)]
        imports_torch = any(name.partition(".")[0] in ("torch", "lightning", "accelerate") for name in imported)
        if runs_module and imports_torch and not _is_guarded(function, file):
            yield Violation(node, f"`{function.name}` evaluates without `torch.inference_mode()`")


def _is_guarded(function: FunctionDef, file: SourceFile) -> bool:
    """Whether gradients are off in the function, in one around it, or at a call of it in this file."""
    around = [function, *(above for above in file.ancestors(function) if isinstance(above, FunctionDef))]
    if any(_mentions_guard(scope, file) for scope in around):
        return True
    owner = file.position(function).scope.owner
    if owner is not None and any("Lightning" in file.name_of(base) for base in owner.bases):
        return True
    around = [above for call in file.calls(function.name) for above in file.ancestors(call)]
    contexts: list[ast.AST] = [item for above in around if isinstance(above, ast.With) for item in above.items]
    contexts += [item for above in around if isinstance(above, FunctionDef) for item in above.decorator_list]
    return any(_mentions_guard(context, file) for context in contexts)


def _mentions_guard(node: ast.AST, file: SourceFile) -> bool:
    return not _GUARDS.isdisjoint(file.attributes_in(node) | file.names_in(node))


def _is_left_in_evaluation(node: ast.Call, file: SourceFile) -> bool:
    if not isinstance(node.func, ast.Attribute) or node.args or file.kind(node.func.value) is not Kind.MODULE:
        return False
    if any(isinstance(call.func, ast.Attribute) and len(call.args) <= 1 for call in file.calls("train")):
        return False
    function = file.position(node).scope.function
    calls = [node, *(file.calls(function.name) if function is not None else [])]
    loops = [loop.node for call in calls for loop in file.position(call).loops[:1]]
    return any(file.holds(loop, step) for loop in loops for step in file.calls("backward"))
