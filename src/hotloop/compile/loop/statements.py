"""What a statement of a training loop is: part of a step, or something that no graph may hold."""

import ast
from typing import Any

from hotloop.compile.loop.names import calls_in, dotted, loads_in, stored_in, walk_here

_HOST_READS = frozenset({"item", "tolist", "numpy", "cpu"})
_PYTHON_EFFECTS = frozenset(
    [
        "append",
        "appendleft",
        "extend",
        "insert",
        "update",
        "pop",
        "popleft",
        "popitem",
        "remove",
        "clear",
        "write",
        "writelines",
        "flush",
        "set_postfix",
        "set_postfix_str",
        "set_description",
        "add_scalar",
        "add_scalars",
        "add_histogram",
        "load_state_dict",
        "state_dict",
        "save",
        "close",
        "put",
        "get_nowait",
        "send",
        "recv",
        "sleep",
        "register_hook",
        "register_forward_hook",
        "register_full_backward_hook",
        "synchronize",
        "unscale_",
        "setdefault",
        "sort_",
        "reset",
        "render",
        "sample_batch",
        "manual_seed",
        "seed",
    ]
)
_EFFECT_ROOTS = frozenset(
    [
        "logger",
        "logging",
        "writer",
        "wandb",
        "tqdm",
        "pbar",
        "bar",
        "random",
        "np",
        "numpy",
        "os",
        "sys",
        "time",
        "json",
        "csv",
        "pickle",
        "file",
        "plt",
        "mlflow",
        "math_random",
        "env",
        "envs",
        "environment",
        "dist",
    ]
)
_EFFECT_CALLS = frozenset(
    [
        "print",
        "input",
        "open",
        "next",
        "exec",
        "eval",
        "globals",
        "locals",
        "vars",
        "breakpoint",
        "setattr",
        "delattr",
        "iter",
    ]
)
_COMPOUND = (ast.With, ast.If, ast.For)
_SIMPLE = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.Pass)
_ASKED_IN_A_TEST = (ast.Name, ast.Attribute, ast.Constant, ast.Compare, ast.BinOp, ast.BoolOp, ast.UnaryOp)


def is_backward(call: ast.Call) -> bool:
    """`loss.backward()`, or `torch.autograd.backward(loss)`."""
    return isinstance(call.func, ast.Attribute) and call.func.attr == "backward"


def is_zeroing(call: ast.Call) -> bool:
    """`optimizer.zero_grad()` or `model.zero_grad()`."""
    return isinstance(call.func, ast.Attribute) and call.func.attr == "zero_grad"


def is_clipping(call: ast.Call) -> bool:
    """A call of torch's clipping of gradients."""
    return dotted(call.func).rpartition(".")[2] in ("clip_grad_norm_", "clip_grad_value_")


def why_not(statement: ast.stmt, *, fresh: frozenset[str]) -> tuple[int, str] | None:
    """Line and reason why a statement cannot be inside of a graph; None where nothing speaks against it.

    `fresh` are the names that the statements before it have bound in the same step.
    """
    if isinstance(statement, _COMPOUND):
        return _why_not_compound(statement, fresh)
    if not isinstance(statement, _SIMPLE):
        return statement.lineno, f"{type(statement).__name__.lower()} is no computation"
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    for target in targets:
        if target is not None and (reason := _why_not_target(statement, target, fresh)):
            return statement.lineno, reason
    return _why_not_expression(statement)


def _why_not_compound(statement: ast.With | ast.If | ast.For, fresh: frozenset[str]) -> tuple[int, str] | None:
    heads: list[ast.AST] = (
        [item.context_expr for item in statement.items]
        if isinstance(statement, ast.With)
        else [statement.test if isinstance(statement, ast.If) else statement.iter]
    )
    for head in heads:
        if found := _why_not_expression(head):
            return found
    known = fresh | (stored_in([statement.target]) if isinstance(statement, ast.For) else frozenset())
    for inner in (*statement.body, *getattr(statement, "orelse", ())):
        if found := why_not(inner, fresh=frozenset(known)):
            return found
        known = known | stored_in([inner])
    return None


def _why_not_target(statement: ast.stmt, target: ast.expr, fresh: frozenset[str]) -> str | None:
    if isinstance(statement, ast.AugAssign) and isinstance(target, ast.Name):
        return None if target.id in fresh else f"{target.id} is counted on in Python"
    for node in walk_here(target):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            return f"the attribute {dotted(node) or node.attr} is set"
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store) and dotted(node.value) not in fresh:
            return f"an element of {dotted(node.value) or 'an object'} is set"
    return None


def _why_not_expression(node: ast.AST) -> tuple[int, str] | None:
    for inner in walk_here(node):
        if isinstance(inner, (ast.Yield, ast.YieldFrom, ast.Await, ast.NamedExpr, ast.Lambda)):
            return inner.lineno, f"{type(inner).__name__.lower()} is no computation"
    for call in calls_in(node):
        if reason := _why_not_call(call):
            return call.lineno, reason
    return None


def _why_not_call(call: ast.Call) -> str | None:
    path = dotted(call.func)
    is_method = isinstance(call.func, ast.Attribute)
    name = call.func.attr if isinstance(call.func, ast.Attribute) else path
    if is_method and name in _HOST_READS:
        return f".{name}() reads a value from the device"
    if path in ("float", "int", "bool") and call.args and not isinstance(call.args[0], ast.Constant):
        return f"{path}() may read a value from the device"
    is_elsewhere = path.partition(".")[0] in _EFFECT_ROOTS and "." in path
    if path in _EFFECT_CALLS or is_elsewhere or (is_method and name in _PYTHON_EFFECTS):
        return f"{path or name}() acts outside of the step"
    if name == "step" and (is_scheduler(path) or (call.args and "scaler" not in path.lower())):
        return f"{path}() is no step of an optimizer that can be captured"
    return None


def is_scheduler(path: str) -> bool:
    """Whether `x.step` is by its name no optimizer's."""
    owner = path.rpartition(".")[0].lower()
    return any(word in owner for word in ("sched", "prof", "warmup")) or owner.rpartition(".")[2] in ("lr", "env")


def is_asked_before(test: ast.expr, written: set[str]) -> bool:
    """Whether a test gives the same answer before the statements that have `written` these names."""
    for node in ast.walk(test):
        if isinstance(node, (ast.expr_context, ast.operator, ast.cmpop, ast.boolop, ast.unaryop)):
            continue
        if isinstance(node, ast.Call):
            if dotted(node.func) not in ("len", "isinstance") or node.keywords:
                return False
        elif not isinstance(node, _ASKED_IN_A_TEST):
            return False
    return not written & {name for name, _ in loads_in(test)}


def paths_of(statement: ast.AST) -> list[ast.expr]:
    """What a statement reads, as its longest chains of names and attributes, methods that are called left out."""
    found: dict[str, ast.expr] = {}

    def visit(node: ast.AST, *, is_called: bool) -> None:
        if path := dotted(node):
            owner: Any = node.value if is_called and isinstance(node, ast.Attribute) else node
            if isinstance(owner, (ast.Name, ast.Attribute)) and isinstance(getattr(node, "ctx", None), ast.Load):
                found.setdefault(dotted(owner) or path, owner)
            return
        for child in ast.iter_child_nodes(node):
            visit(child, is_called=isinstance(node, ast.Call) and child is node.func)

    visit(statement, is_called=False)
    if isinstance(statement, ast.AugAssign) and dotted(statement.target):
        found.setdefault(dotted(statement.target), statement.target)
    return list(found.values())
