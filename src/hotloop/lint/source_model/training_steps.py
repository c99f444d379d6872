"""Which loops and functions hold the step of training: `backward()` and `optimizer.step()` directly in them."""

import ast
from collections.abc import Callable, Iterable

from hotloop.lint.source_model.names import dotted, last_name, looks_like_optimizer
from hotloop.lint.source_model.position import Place


def credit_steps(calls: Iterable[ast.AST], place_of: Callable[[ast.AST], Place]) -> None:
    """Mark the innermost loop (or, without loop, the function) and the branches around each backward and step."""
    for call in calls:
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            name = last_name(call.func)
            if name in ("backward", "manual_backward") or (name == "step" and _steps_optimizer(call)):
                _credit(call, place_of(call), is_step=name == "step")


def _steps_optimizer(call: ast.Call) -> bool:
    assert isinstance(call.func, ast.Attribute)
    receiver = dotted(call.func.value)
    if receiver and looks_like_optimizer(receiver):
        return True
    first = dotted(call.args[0]) if call.args else ""  # scaler.step(optimizer)
    if first and looks_like_optimizer(first):
        return True
    called = call.func.value
    return isinstance(called, ast.Call) and looks_like_optimizer(last_name(called.func))  # self.optimizers().step()


def _credit(call: ast.Call, place: Place, *, is_step: bool) -> None:
    for branch in place.branches:
        branch.holds_step = True
    loops = list(place.loops)
    assert isinstance(call.func, ast.Attribute)
    while loops and _is_target(call.func.value, loops[-1].node):
        loops.pop()  # `for opt in optimizers: opt.step()` is a part of the loop around it
    if loops:
        loops[-1].holds_step = True
        return
    place.scope.holds_step |= is_step
    place.scope.holds_backward |= not is_step


def _is_target(receiver: ast.expr, loop: ast.AST) -> bool:
    name = dotted(receiver).partition(".")[0]
    targets = [loop.target] if isinstance(loop, (ast.For, ast.AsyncFor)) else []
    if isinstance(loop, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
        targets = [generator.target for generator in loop.generators]
    names: list[ast.AST] = [*targets]
    while names:
        target = names.pop()
        if isinstance(target, ast.Name) and target.id == name:
            return True
        if isinstance(target, (ast.Tuple, ast.List)):
            names.extend(target.elts)
    return False
