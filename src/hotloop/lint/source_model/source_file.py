"""SourceFile: one file of Python, read, parsed and walked once, and what rules may ask of it."""

import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar, cast

from hotloop.errors import SourceError
from hotloop.lint.source_model.kind_inference import Kind, Kinds
from hotloop.lint.source_model.names import dotted, last_name
from hotloop.lint.source_model.position import Binding, Hot, Place, Scope
from hotloop.lint.source_model.tree_index import Walk

Node = TypeVar("Node", bound=ast.AST)


class SourceFile:
    """The facts of one file. `path` is as the user gave it; lines and columns count as in `ast` (from 1, from 0)."""

    def __init__(self, path: str, text: str, tree: ast.Module) -> None:
        self.path = path
        self.text = text
        self.tree = tree
        self.walk = Walk(tree)
        self._calls: dict[str, list[ast.Call]] = {}
        for call in self.all(ast.Call):
            self._calls.setdefault(last_name(call.func), []).append(call)
        self._imports = _imported(self)
        self.modules = _module_classes(self)
        backward = frozenset(
            dotted(call.func.value)
            for call in self.calls("backward")
            if isinstance(call.func, ast.Attribute) and not call.args  # not accelerator.backward(loss)
        )
        self._kinds = Kinds(
            self.name_of, self.binding, lambda node: self.place(node).scope, self.modules, backward - {""}
        )
        for binding in sorted(self.walk.bindings(), key=lambda found: found.order):
            if binding.value is not None:
                self._kinds.kind(binding.value)  # in source order, so that no later question recurses deeply

    def place(self, node: ast.AST) -> Place:
        """Where a node stands."""
        return self.walk.places[self.walk.index[node]]

    def hot(self, node: ast.AST) -> Hot | None:
        """The hot context around a node, or None."""
        return self.place(node).hot

    def order(self, node: ast.AST) -> int:
        """The position of a node in the source's order of evaluation."""
        return self.walk.index[node]

    def parent(self, node: ast.AST) -> ast.AST | None:
        """The node right above; None for the module."""
        here = self.walk.index[node]
        return self.walk.nodes[self.walk.parents[here]] if here else None

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes above, from the nearest to the module."""
        above = self.parent(node)
        while above is not None:
            yield above
            above = self.parent(above)

    def statement(self, node: ast.AST) -> ast.stmt:
        """The innermost statement that holds a node (itself, where it is one)."""
        here: ast.AST | None = node
        while here is not None and not isinstance(here, ast.stmt):
            here = self.parent(here)
        return here if here is not None else self.tree.body[0]

    def statements(self) -> Iterator[ast.stmt]:
        """All statements in order, outer before inner."""
        return (node for node in self.walk.nodes if isinstance(node, ast.stmt))

    def within(self, node: ast.AST) -> list[ast.AST]:
        """The node and all nodes under it, in order."""
        here = self.walk.index[node]
        return self.walk.nodes[here : self.walk.ends[here]]

    def holds(self, outer: ast.AST, inner: ast.AST) -> bool:
        """Whether `inner` is `outer` or lies under it."""
        here = self.walk.index[outer]
        return here <= self.walk.index[inner] < self.walk.ends[here]

    def all(self, *kinds: type[Node]) -> list[Node]:
        """All nodes of these types in the file; in order for each type."""
        return [cast(Node, node) for kind in kinds for node in self.walk.by_type.get(kind, [])]

    def calls(self, *names: str) -> list[ast.Call]:
        """All calls of functions or methods of these last names."""
        return [call for name in names for call in self._calls.get(name, [])]

    def name_of(self, expression: ast.AST) -> str:
        """The dotted name of an expression with imports and aliases resolved; "" where it has none."""
        written = dotted(expression)
        head, dot, rest = written.partition(".")
        return self._imports.get(head, head) + dot + rest

    def scope(self, node: ast.AST) -> Scope:
        """The scope that a def, class, lambda, comprehension or module opens."""
        return self.walk.scopes[node]

    def binding(self, name: ast.expr) -> Binding | None:
        """The last binding of a name (or of `self.x`) before its use here; outside its scope, the last of all."""
        written = dotted(name)
        if not written or name not in self.walk.index:
            return None
        here = self.walk.index[name]
        scope: Scope | None = self.place(name).scope
        own = True
        while scope is not None:
            found = scope.bindings.get(written)
            if found and not (isinstance(scope.node, ast.ClassDef) and not own and "." not in written):
                before = [binding for binding in found if binding.order < here]
                return before[-1] if before else found[0 if own else -1]
            own = own and isinstance(
                scope.node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda)
            )
            scope = scope.parent
        return None

    def bindings(self, scope: Scope, name: str) -> list[Binding]:
        """All bindings of a name in one scope, in order."""
        return scope.bindings.get(name, [])

    def uses(self, scope: Scope, name: str) -> list[ast.Name]:
        """All reads of a name in one scope (not in functions inside it), in order."""
        return scope.uses.get(name, [])

    def kind(self, expression: ast.AST) -> Kind:
        """What an expression is, as far as the source tells."""
        return self._kinds.kind(expression)

    def is_tensor(self, expression: ast.AST) -> bool:
        """Whether an expression is a tensor or what a module returned."""
        return self._kinds.is_tensor(expression)


def read_source(path: Path) -> SourceFile:
    """The facts of a file. Raises SourceError, naming the file and line, where it is not Python in its encoding."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}; give a Python file that can be read") from None
    try:
        encoding = tokenize.detect_encoding(io.BytesIO(data).readline)[0]
        text = data.decode(encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        raise SourceError(
            f"{path} is not text in its encoding (UTF-8 unless its first lines say otherwise): {error}; "
            "save it as UTF-8 or exclude it"
        ) from None
    return parse_source(str(path), text)


def parse_source(path: str, text: str) -> SourceFile:
    """The facts of source that is already text. Raises SourceError with path and line where it does not parse."""
    try:
        tree = ast.parse(text, filename=path)
    except SyntaxError as error:
        raise SourceError(f"{path}:{error.lineno or 0}: {error.msg}; mend the syntax or exclude the file") from None
    except ValueError as error:
        raise SourceError(f"{path}: {error}; remove the bytes that are no text or exclude the file") from None
    except (RecursionError, MemoryError):
        raise SourceError(
            f"{path}: nested too deeply for Python's parser; split its expressions or exclude it"
        ) from None
    return SourceFile(path, text, tree)


def _imported(file: SourceFile) -> dict[str, str]:
    """What each imported name stands for; where one name is imported twice, the last counts."""
    found: dict[str, str] = {}
    for node in file.all(ast.Import):
        for alias in node.names:
            found[alias.asname or alias.name.partition(".")[0]] = (
                alias.name if alias.asname else alias.name.partition(".")[0]
            )
    for node in file.all(ast.ImportFrom):
        for alias in node.names:
            found[alias.asname or alias.name] = (
                f"{node.module}.{alias.name}" if node.module and not node.level else alias.name
            )
    return found


def _module_classes(file: SourceFile) -> frozenset[str]:
    """Names of the file's classes that are nn.Modules: by a base that is called so, or by a method `forward`."""
    classes = file.all(ast.ClassDef)
    found = {node.name for node in classes if any(_is_forward(item) for item in node.body)}
    for _ in range(4):  # bases of bases, in whatever order they are written
        for node in classes:
            bases = [file.name_of(base).rpartition(".")[2] for base in node.bases]
            if any(base.endswith("Module") or base in found for base in bases):
                found.add(node.name)
    return frozenset(found)


def _is_forward(item: ast.stmt) -> bool:
    return isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)) and item.name == "forward"
