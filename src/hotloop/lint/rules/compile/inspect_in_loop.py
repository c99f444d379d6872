"""CO08: signatures inspected in hot code."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.expressions import words

_INSPECTED = frozenset({"__code__", "__signature__", "__wrapped__", "__closure__", "__defaults__"})


class InspectInLoop(Rule[ast.Attribute | ast.Call]):
    code = "CO08"
    doc = RuleDoc(
        title="signatures inspected in every step",
        why="`inspect` and `__code__` cost microseconds a call, break the graph, and give another result for a "
        "compiled function: a wrapper takes `*args`, so an argument found by its name gets lost.",
        cure="Look once, in `__init__`, and keep the result.",
        at_runtime="Graph breaks with this line; a compiled run that differs from the eager one.",
        not_reported="Inspection outside hot code (in `__init__`, before the loop) is the cure and is not reported.",
    )
    nodes = (ast.Attribute,)
    calls = words(
        "signature getfullargspec getsource getsourcefile getmembers stack currentframe getargspec get_type_hints"
    )
    hot_only = True

    def check(self, node: ast.Attribute | ast.Call, file: SourceFile) -> Violations:
        if isinstance(node, ast.Attribute):
            if node.attr in _INSPECTED:
                yield Violation(node, f"looks at `{node.attr}` {file.often(node)}")
            return
        name = file.name_of(node.func)
        if name.startswith("inspect.") or name == "typing.get_type_hints":
            yield Violation(node, f"`{name}` runs {file.often(node)}")
