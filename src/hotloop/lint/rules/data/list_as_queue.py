"""DA02: a list used as a queue from its slow end."""

import ast
from collections.abc import Iterable, Iterator

from hotloop.lint.rule import Hit, Page
from hotloop.lint.source_model.arguments import is_literal, number
from hotloop.lint.source_model.names import dotted
from hotloop.lint.source_model.source_file import SourceFile

# Below this many entries a list is as fast as a deque, measured with CPython 3.11 (specification, DA02).
_MATTERS = 2000


class ListAsQueue:
    code = "DA02"
    page = Page(
        title="a list used as a queue from its slow end",
        why="`pop(0)` and `insert(0, x)` move every other entry by one place: the cost grows with the length.",
        cure="Use `collections.deque`: `popleft()` and `appendleft()` cost the same at any length.",
        dynamic="The length of the list at the call.",
        traps="Short lists are as fast as a deque, so a list whose length the code keeps below 2,000 is not reported, "
        "nor is `pop(0)` of a list that is only drained (parsing of arguments): what makes a queue is that the same "
        "loop, or the same class, appends to it.",
    )
    nodes: tuple[type[ast.AST], ...] = ()
    calls = frozenset({"pop", "insert"})
    hot_only = False

    def check(self, node: ast.AST, file: SourceFile) -> Iterable[Hit]:
        assert isinstance(node, ast.Call)
        name = dotted(node.func.value) if isinstance(node.func, ast.Attribute) else ""
        if not name or node.keywords or not node.args or not is_literal(node.args[0], 0):
            return
        takes = node.func.attr == "pop" if isinstance(node.func, ast.Attribute) else False
        if len(node.args) != (1 if takes else 2) or not _runs_often(node, name, file):
            return
        if not any(
            _feeds(call, node, name, file) for call in file.calls("append", "extend", "pop") if call is not node
        ):
            return
        limit = _limit(node, name, file)
        if limit is not None and limit < _MATTERS:
            return
        size = "its length is not bounded here" if limit is None else f"it is kept at {limit:,.0f} entries"
        what = f"`{name}.pop(0)`" if takes else f"`{name}.insert(0, ...)`"
        yield Hit(node, f"{what} moves every other entry of the list; {size}")


def _runs_often(node: ast.Call, name: str, file: SourceFile) -> bool:
    return bool(file.place(node).loops) or (name.startswith("self.") and file.place(node).scope.function is not None)


def _feeds(call: ast.Call, node: ast.Call, name: str, file: SourceFile) -> bool:
    """Whether `call` works at the other end of the list, in turns with the call that takes or puts at this one."""
    at_end = isinstance(call.func, ast.Attribute) and (call.func.attr != "pop" or not call.args)
    takes = isinstance(node.func, ast.Attribute) and node.func.attr == "pop"
    puts = isinstance(call.func, ast.Attribute) and call.func.attr != "pop"
    if not at_end or takes is not puts or not _same(call, node, name, file):
        return False
    here, there = file.place(node).loops, file.place(call).loops
    return name.startswith("self.") or bool(here and there and here[0] is there[0])


def _same(call: ast.Call, node: ast.Call, name: str, file: SourceFile) -> bool:
    """Whether `call` is a method of the same list: the same name in the same function, or of the same class."""
    if not isinstance(call.func, ast.Attribute) or dotted(call.func.value) != name:
        return False
    here, there = file.place(node).scope, file.place(call).scope
    return here.owner is there.owner if name.startswith("self.") else here.function is there.function


def _limit(node: ast.Call, name: str, file: SourceFile) -> int | float | None:
    """The length that an `if` or `while` around the call compares with, where it can be read."""
    for test in _tests(node, file):
        if not isinstance(test, ast.Compare) or len(test.comparators) != 1:
            continue
        sides = (test.left, test.comparators[0])
        if any(_is_length(side, name) for side in sides):
            return next((found for side in sides if (found := _usual(side, file)) is not None), None)
    return None


def _usual(side: ast.expr, file: SourceFile) -> int | float | None:
    """The number on this side, or the default of the parameter that it comes from."""
    for _ in range(3):  # self.size = size; def __init__(self, size=10)
        found = number(file, side)
        bound = file.binding(side) if found is None and isinstance(side, (ast.Name, ast.Attribute)) else None
        if bound is None or bound.value is None or bound.how not in ("assign", "argument"):
            return found
        side = bound.value
    return None


def _tests(node: ast.Call, file: SourceFile) -> Iterator[ast.AST]:
    for above in file.ancestors(node):
        if isinstance(above, (ast.If, ast.While)):
            yield from file.within(above.test)


def _is_length(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Call) and dotted(node.func) == "len" and any(dotted(a) == name for a in node.args)
