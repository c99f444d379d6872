"""ME11: settings looked up, patterns compiled or modules imported in hot code."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.definitions import is_dataset
from hotloop.lint.source_model.expressions import words

_OF_RE = words("match search sub subn compile findall fullmatch split finditer")


class RepeatedLookup(Rule[ast.Import | ast.ImportFrom | ast.Subscript | ast.Call]):
    code = "ME11"
    doc = RuleDoc(
        title="settings, patterns or imports looked up in hot code",
        why="The environment, the cache of patterns and the table of modules are searched again in every step for what "
        "does not change. Under `torch.compile` each may break the graph.",
        cure="Resolve it once: at the head of the module, in `__init__`, or before the loop.",
        at_runtime="The share of the line in a Python profile; it is small on its own.",
        not_reported="Setting a variable, lookups outside hot code and a compiled pattern's own methods, and "
        "`__getitem__` of what is no data set, are not reported.",
    )
    nodes = (ast.Import, ast.ImportFrom, ast.Subscript)
    calls = frozenset({"getenv", "get", *_OF_RE})
    hot_only = True

    def check(self, node: ast.Import | ast.ImportFrom | ast.Subscript | ast.Call, file: SourceFile) -> Violations:
        hot = file.hot(node)
        if hot is None or (hot.kind == "getitem" and not is_dataset(file.position(hot.node).scope.owner, file)):
            return
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield Violation(node, f"the import is looked up {hot.often}")
        elif isinstance(node, ast.Subscript):
            if isinstance(node.ctx, ast.Load) and file.name_of(node.value) == "os.environ":
                yield Violation(node, f"the environment is read {hot.often}")
        else:
            name = file.name_of(node.func)
            if name in ("os.getenv", "os.environ.get"):
                yield Violation(node, f"the environment is read {hot.often}")
            elif name.startswith("re.") and name.removeprefix("re.") in _OF_RE:
                yield Violation(node, f"`{name}` looks its pattern up {hot.often}")
