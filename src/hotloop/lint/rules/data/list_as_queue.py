"""DA02: a list used as a queue from its slow end."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.expressions import dotted, is_literal

# Below this many entries a list is as fast as a deque, measured with CPython 3.11 on two shared cores.
_MATTERS = 2000


class ListAsQueue(Rule[ast.Call]):
    code = "DA02"
    doc = RuleDoc(
        title="a list used as a queue from its slow end",
        why="`pop(0)` and `insert(0, x)` move every other entry by one place: the cost grows with the length.",
        cure="Use `collections.deque`: `popleft()` and `appendleft()` cost the same at any length.",
        at_runtime="The length of the list at the call.",
        not_reported="Short lists are as fast as a deque, so a list whose length the code keeps below 2,000 is not "
        "reported, nor is `pop(0)` of a list that is only emptied (parsing of arguments): what makes a queue is that "
        "the same loop, or the same class, appends to it.",
    )
    calls = frozenset({"pop", "insert"})

    def check(self, node: ast.Call, file: SourceFile) -> Violations:
        name = dotted(node.func.value) if isinstance(node.func, ast.Attribute) else ""
        if not name or node.keywords or not node.args or not is_literal(node.args[0], 0):
            return
        takes, position = _takes(node), file.position(node)
        runs_often = position.loops or (name.startswith("self.") and position.scope.function is not None)
        if len(node.args) != (1 if takes else 2) or not runs_often:
            return
        others = (call for call in file.calls("append", "extend", "pop") if call is not node)
        if not any(_feeds(call, node, name, file) for call in others):
            return
        limit = _limit(node, name, file)
        if limit is not None and limit < _MATTERS:
            return
        size = "its length is not bounded here" if limit is None else f"it is kept at {limit:,.0f} entries"
        what = f"`{name}.pop(0)`" if takes else f"`{name}.insert(0, ...)`"
        yield Violation(node, f"{what} moves every other entry of the list; {size}")


def _takes(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr == "pop"


def _feeds(call: ast.Call, node: ast.Call, name: str, file: SourceFile) -> bool:
    """Whether `call` works at the other end of the list than the call that takes or puts at this one."""
    if not isinstance(call.func, ast.Attribute) or dotted(call.func.value) != name:
        return False
    if (_takes(call) and call.args) or _takes(node) is _takes(call):
        return False
    here, there = file.position(node), file.position(call)
    if name.startswith("self."):
        return here.scope.owner is there.scope.owner
    same_loop = bool(here.loops and there.loops and here.loops[0] is there.loops[0])
    return same_loop and here.scope.function is there.scope.function


def _limit(node: ast.Call, name: str, file: SourceFile) -> int | float | None:
    """The length that an `if` or `while` around the call compares with, where it can be read."""
    around = [above.test for above in file.ancestors(node) if isinstance(above, (ast.If, ast.While))]
    for test in (test for condition in around for test in file.within(condition, ast.Compare)):
        sides = (test.left, *test.comparators)
        lengths = [side for side in sides if isinstance(side, ast.Call) and dotted(side.func) == "len"]
        if len(sides) == 2 and any(dotted(given) == name for side in lengths for given in side.args):
            return next((found for side in sides if (found := _usual(side, file)) is not None), None)
    return None


def _usual(side: ast.expr, file: SourceFile) -> int | float | None:
    """The number on this side, or the default of the parameter that it comes from."""
    for _ in range(3):  # self.size = size; def __init__(self, size=10)
        found = file.number(side)
        binding = file.binding(side) if found is None else None
        if binding is None or binding.value is None or binding.how not in ("assign", "argument"):
            return found
        side = binding.value
    return None
