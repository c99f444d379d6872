"""Which loops and functions hold the step of training: `backward()` and `optimizer.step()` directly in them."""

import ast
from collections.abc import Callable, Iterable

from hotloop.lint.source_model.expressions import OPTIMIZER, dotted, is_usual, last_name
from hotloop.lint.source_model.node_types import iterations
from hotloop.lint.source_model.position import Position


def mark_training_steps(calls: Iterable[ast.AST], position_of: Callable[[ast.AST], Position]) -> None:
    """Mark the innermost loop (or, without loop, the function) and the branches around each backward and step."""
    for call in calls:
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            name = call.func.attr
            if name in ("backward", "manual_backward") or (name == "step" and _steps_optimizer(call, call.func.value)):
                _mark(call.func.value, position_of(call), is_step=name == "step")


def _steps_optimizer(call: ast.Call, receiver: ast.expr) -> bool:
    if isinstance(receiver, ast.Call) and is_usual(last_name(receiver.func), OPTIMIZER):
        return True  # self.optimizers().step()
    named = [receiver, *call.args[:1]]  # optimizer.step(), scaler.step(optimizer)
    return any(is_usual(dotted(node), OPTIMIZER) for node in named)


def _mark(receiver: ast.expr, position: Position, *, is_step: bool) -> None:
    for branch in position.branches:
        branch.holds_step = True
    loops = list(position.loops)
    while loops and _is_target(receiver, loops[-1].node):
        loops.pop()  # `for opt in optimizers: opt.step()` is a part of the loop around it
    if loops:
        loops[-1].holds_step = True
        return
    position.scope.holds_step |= is_step
    position.scope.holds_backward |= not is_step


def _is_target(receiver: ast.expr, loop: ast.AST) -> bool:
    name = dotted(receiver).partition(".")[0]
    names: list[ast.AST] = [target for _, target in iterations(loop)]
    while names:
        target = names.pop()
        if isinstance(target, ast.Name) and target.id == name:
            return True
        if isinstance(target, (ast.Tuple, ast.List)):
            names.extend(target.elts)
    return False
