"""ME11: settings looked up, patterns compiled or modules imported in hot code."""

import ast
from collections.abc import Iterable

from hotloop.lint.rule import Hit, Page
from hotloop.lint.source_model.datasets import is_dataset
from hotloop.lint.source_model.names import words
from hotloop.lint.source_model.source_file import SourceFile

_PATTERNS = frozenset(f"re.{name}" for name in words("match search sub subn compile findall fullmatch split finditer"))


class RepeatedLookup:
    code = "ME11"
    page = Page(
        title="settings, patterns or imports looked up in hot code",
        why="The environment, the cache of patterns and the table of modules are asked again in every step for what "
        "does not change. Under `torch.compile` each may break the graph.",
        cure="Resolve it once: at the head of the module, in `__init__`, or before the loop.",
        dynamic="The share of the line in a Python profile; it is small on its own.",
        traps="Setting a variable, lookups outside hot code and a compiled pattern's own methods, and `__getitem__` "
        "of what is no data set, are not reported.",
    )
    nodes: tuple[type[ast.AST], ...] = (ast.Import, ast.ImportFrom, ast.Subscript)
    calls = frozenset({"getenv", "get", *(name.removeprefix("re.") for name in _PATTERNS)})
    hot_only = True

    def check(self, node: ast.AST, file: SourceFile) -> Iterable[Hit]:
        hot = file.hot(node)
        if hot is None or (hot.kind == "getitem" and not is_dataset(file, file.place(hot.node).scope.owner)):
            return
        often = hot.often
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield Hit(node, f"the import is looked up {often}")
        elif isinstance(node, ast.Subscript):
            if isinstance(node.ctx, ast.Load) and file.name_of(node.value) == "os.environ":
                yield Hit(node, f"the environment is read {often}")
        elif isinstance(node, ast.Call):
            name = file.name_of(node.func)
            if name in ("os.getenv", "os.environ.get"):
                yield Hit(node, f"the environment is read {often}")
            elif name in _PATTERNS:
                yield Hit(node, f"`{name}` looks its pattern up {often}")
