"""ME04: validation that builds graphs, or leaves the model in evaluation mode."""

import ast
import re
from collections.abc import Iterable

from hotloop.lint.rule import Hit, Page
from hotloop.lint.source_model.kind_inference import Kind
from hotloop.lint.source_model.module_calls import runs_module
from hotloop.lint.source_model.names import last_name
from hotloop.lint.source_model.source_file import SourceFile

_EVALUATES = re.compile(
    r"(^|_)(eval|evaluate|evaluation|valid|validate|validation|predict|infer|inference|accuracy)(_|$)"
)
_GUARDS = frozenset({"no_grad", "inference_mode", "set_grad_enabled", "enable_grad", "requires_grad_", "set_mode"})
_TRAINS = frozenset({"backward", "zero_grad", "grad", "manual_backward"})
_Def = ast.FunctionDef | ast.AsyncFunctionDef


class ValidationWithGradients:
    code = "ME04"
    page = Page(
        title="validation that records gradients, or a model left in evaluation mode",
        why="Without `torch.inference_mode()` every forward keeps what a backward would need: memory and time for "
        "nothing. And after `model.eval()` dropout and batch norm stay frozen until somebody calls `model.train()`.",
        cure="`with torch.inference_mode():` around the loop, and `model.train()` again in a `finally`.",
        dynamic="Gradient mode and the training flag at the loader of an evaluation, in `hotloop diagnose`.",
        traps="A function that calls backward, one that is called under `no_grad` in this file, Lightning's hooks, "
        "and a file that calls `.train()` again are not reported.",
    )
    nodes: tuple[type[ast.AST], ...] = (ast.For, ast.ListComp)
    calls = frozenset({"eval"})
    hot_only = False

    def check(self, node: ast.AST, file: SourceFile) -> Iterable[Hit]:
        if isinstance(node, ast.Call):
            if _is_left_in_evaluation(node, file):
                yield Hit(node, "training goes on after this, and nothing calls `.train()` again")
        elif isinstance(node, (ast.For, ast.ListComp)) and _is_over_loader(node, file):
            function = file.place(node).scope.function
            if function is None or not _only_evaluates(function, file) or not _runs_module(node, file):
                return
            if not _is_guarded(function, file) and _imports_torch(file):
                yield Hit(node, f"`{function.name}` evaluates without `torch.inference_mode()`")


def _is_over_loader(node: ast.For | ast.ListComp, file: SourceFile) -> bool:
    inside = node.body[0] if isinstance(node, ast.For) else node.elt
    return file.place(inside).loops[-1].iterates_loader


def _imports_torch(file: SourceFile) -> bool:
    imported = [alias.name for node in file.all(ast.Import) for alias in node.names]
    imported += [node.module or "" for node in file.all(ast.ImportFrom)]
    return any(name.partition(".")[0] in ("torch", "lightning", "accelerate") for name in imported)


def _only_evaluates(function: _Def, file: SourceFile) -> bool:
    called = {last_name(part.func) for part in file.within(function) if isinstance(part, ast.Call)}
    if called & _TRAINS or "step" in called:
        return False
    return bool(_EVALUATES.search(function.name)) or function.name == "test" or "eval" in called


def _runs_module(node: ast.AST, file: SourceFile) -> bool:
    return any(isinstance(part, ast.Call) and runs_module(part, file) for part in file.within(node))


def _is_guarded(function: _Def, file: SourceFile) -> bool:
    """Whether gradients are off in the function, in one around it, or at a call of it in this file."""
    around = [function, *(above for above in file.ancestors(function) if isinstance(above, _Def))]
    if any(_mentions_guard(scope, file) for scope in around):
        return True
    owner = file.place(function).scope.owner
    if owner is not None and any("Lightning" in file.name_of(base) for base in owner.bases):
        return True
    for call in file.calls(function.name):
        for above in file.ancestors(call):
            if isinstance(above, ast.With) and any(_mentions_guard(item, file) for item in above.items):
                return True
            if isinstance(above, _Def) and any(_mentions_guard(item, file) for item in above.decorator_list):
                return True
    return False


def _mentions_guard(node: ast.AST, file: SourceFile) -> bool:
    return any(
        (part.attr if isinstance(part, ast.Attribute) else part.id) in _GUARDS
        for part in file.within(node)
        if isinstance(part, (ast.Attribute, ast.Name))
    )


def _is_left_in_evaluation(node: ast.Call, file: SourceFile) -> bool:
    if not isinstance(node.func, ast.Attribute) or node.args or file.kind(node.func.value) is not Kind.MODULE:
        return False
    if any(isinstance(call.func, ast.Attribute) and len(call.args) <= 1 for call in file.calls("train")):
        return False
    function = file.place(node).scope.function
    places = [node, *(file.calls(function.name) if function is not None else [])]
    for place in places:
        loops = file.place(place).loops
        if loops and any(file.holds(loops[0].node, step) for step in file.calls("backward")):
            return True
    return False
