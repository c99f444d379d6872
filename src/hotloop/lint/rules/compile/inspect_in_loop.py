"""CO08: signatures inspected in hot code."""

import ast
from collections.abc import Iterable

from hotloop.lint.rule import Hit, Page
from hotloop.lint.source_model.names import words
from hotloop.lint.source_model.source_file import SourceFile

_INSPECTED = frozenset({"__code__", "__signature__", "__wrapped__", "__closure__", "__defaults__"})
_CALLS = words(
    "signature getfullargspec getsource getsourcefile getmembers stack currentframe getargspec get_type_hints"
)


class InspectInLoop:
    code = "CO08"
    page = Page(
        title="signatures inspected in every step",
        why="`inspect` and `__code__` cost microseconds a call, break the graph, and answer otherwise for a compiled "
        "function: a wrapper takes `*args`, so an argument found by its name gets lost.",
        cure="Look once, in `__init__`, and keep the answer.",
        dynamic="Graph breaks with this line; a compiled run that differs from the eager one.",
        traps="Inspection outside hot code (in `__init__`, before the loop) is the cure and is not reported.",
    )
    nodes = (ast.Attribute,)
    calls = _CALLS
    hot_only = True

    def check(self, node: ast.AST, file: SourceFile) -> Iterable[Hit]:
        hot = file.hot(node)
        often = hot.often if hot else ""
        if isinstance(node, ast.Attribute):
            if node.attr in _INSPECTED:
                yield Hit(node, f"looks at `{node.attr}` {often}")
        elif isinstance(node, ast.Call):
            name = file.name_of(node.func)
            if name.startswith("inspect.") or name == "typing.get_type_hints":
                yield Hit(node, f"`{name}` runs {often}")
