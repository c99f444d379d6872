"""SourceFile: one file of Python, read, parsed and indexed once, and what rules may ask of it."""

import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar, cast, overload

from hotloop.errors import SourceError
from hotloop.lint.source_model.expressions import dotted, last_name
from hotloop.lint.source_model.kind import Kind
from hotloop.lint.source_model.kind_inference import KindInference
from hotloop.lint.source_model.node_types import Comprehension, FunctionDef
from hotloop.lint.source_model.position import Binding, HotContext, Position, Scope
from hotloop.lint.source_model.tree_index import TreeIndex

Node = TypeVar("Node", bound=ast.AST)


class SourceFile:
    """The facts of one file. `path` is as the user gave it; lines and columns count as in `ast` (from 1, from 0)."""

    def __init__(self, path: str, text: str, tree: ast.Module) -> None:
        self.path = path
        self.text = text
        self.tree = tree
        self._index = TreeIndex(tree)
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
        self._kinds = KindInference(
            self.name_of, self.binding, lambda node: self.position(node).scope, self.modules, backward - {""}
        )
        for binding in sorted(self.all_bindings(), key=lambda found: found.order):
            if binding.value is not None:
                self.kind(binding.value)  # in source order, so that no later question recurses deeply

    def position(self, node: ast.AST) -> Position:
        """Where a node stands."""
        return self._index.positions[self._index.order[node]]

    def hot(self, node: ast.AST) -> HotContext | None:
        """The hot context around a node, or None."""
        return self.position(node).hot

    def often(self, node: ast.AST) -> str:
        """How often the code at a node runs, in words for a message; "" where it is not hot."""
        hot = self.hot(node)
        return hot.often if hot is not None else ""

    def order(self, node: ast.AST) -> int:
        """The index of a node in the order of evaluation."""
        return self._index.order[node]

    def parent(self, node: ast.AST) -> ast.AST | None:
        """The node right above; None for the module."""
        here = self._index.order[node]
        return self._index.nodes[self._index.parents[here]] if here else None

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

    @overload
    def within(self, node: ast.AST) -> list[ast.AST]: ...
    @overload
    def within(self, node: ast.AST, *kinds: type[Node]) -> list[Node]: ...
    def within(self, node: ast.AST, *kinds: type[Node]) -> list[ast.AST] | list[Node]:
        """The node and all nodes under it, in order; only those of these types, where some are given."""
        here = self._index.order[node]
        nodes = self._index.nodes[here : self._index.ends[here]]
        return [part for part in nodes if isinstance(part, kinds)] if kinds else nodes

    def between(self, first: ast.AST, last: ast.AST) -> list[ast.AST]:
        """All nodes from one node up to and without another, in order."""
        return self._index.nodes[self._index.order[first] : self._index.order[last]]

    def holds(self, outer: ast.AST, inner: ast.AST) -> bool:
        """Whether `inner` is `outer` or lies under it."""
        here = self._index.order[outer]
        return here <= self._index.order[inner] < self._index.ends[here]

    def all(self, *kinds: type[Node]) -> list[Node]:
        """All nodes of these types in the file; in order for each type."""
        return [cast(Node, node) for kind in kinds for node in self._index.by_type.get(kind, [])]

    def calls(self, *names: str) -> list[ast.Call]:
        """All calls of functions or methods of these last names."""
        return [call for name in names for call in self._calls.get(name, [])]

    def name_of(self, expression: ast.AST) -> str:
        """The dotted name of an expression with imports and aliases resolved; "" where it has none."""
        written = dotted(expression)
        head, dot, rest = written.partition(".")
        return self._imports.get(head, head) + dot + rest

    def names_in(self, node: ast.AST) -> set[str]:
        """All plain names under a node."""
        return {part.id for part in self.within(node, ast.Name)}

    def attributes_in(self, node: ast.AST) -> set[str]:
        """All names of attributes under a node."""
        return {part.attr for part in self.within(node, ast.Attribute)}

    def called_in(self, node: ast.AST) -> set[str]:
        """The last names of all that is called under a node."""
        return {last_name(call.func) for call in self.within(node, ast.Call)}

    def assigned_to(self, node: ast.AST) -> set[str]:
        """The dotted names that the statement around a node assigns to; none where it is no plain assignment."""
        statement = self.statement(node)
        return {dotted(target) for target in statement.targets} if isinstance(statement, ast.Assign) else set()

    def scope(self, node: ast.AST) -> Scope:
        """The scope that a def, class, lambda, comprehension or module opens."""
        return self._index.scopes[node]

    def binding(self, name: ast.expr) -> Binding | None:
        """The last binding of a name (or of `self.x`) before its use here; outside its scope, the last of all."""
        found, own = self._visible_bindings(name)
        before = [binding for binding in found if binding.order < self._index.order[name]]
        if before:
            return before[-1]
        return found[0 if own else -1] if found else None

    def bindings_of(self, name: ast.expr) -> list[Binding]:
        """All bindings of a name (or of `self.x`) in the scope in which it is bound here, in order."""
        return self._visible_bindings(name)[0]

    def _visible_bindings(self, name: ast.expr) -> tuple[list[Binding], bool]:
        """The bindings in the nearest scope that has some, and whether this is the name's own scope."""
        written = dotted(name)
        if not written or name not in self._index.order:
            return [], False
        scope: Scope | None = self.position(name).scope
        own = True
        while scope is not None:
            found = scope.bindings.get(written)
            if found and not (isinstance(scope.node, ast.ClassDef) and not own and "." not in written):
                return found, own
            own = own and isinstance(scope.node, (Comprehension, ast.Lambda))
            scope = scope.parent
        return [], False

    def assigned(self, name: ast.AST | None) -> ast.expr | None:
        """The value that a plain name was last assigned before its use here; None for anything else."""
        binding = self.binding(name) if isinstance(name, ast.Name) else None
        return binding.value if binding is not None and binding.how == "assign" else None

    def bindings(self, scope: Scope, name: str) -> list[Binding]:
        """All bindings of a name in one scope, in order."""
        return scope.bindings.get(name, [])

    def number(self, node: ast.expr) -> int | float | None:
        """The number that an expression is, written there or behind a name that is bound once; None where unknown."""
        written: ast.expr | None = node
        if isinstance(node, ast.Name | ast.Attribute):
            bindings = self.bindings_of(node)
            written = bindings[0].value if len(bindings) == 1 and bindings[0].how == "assign" else None
        value = written.value if isinstance(written, ast.Constant) else None
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None

    def all_bindings(self) -> Iterator[Binding]:
        """All bindings of all names in the file, scope by scope."""
        return self._index.bindings()

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
    for alias in (alias for node in file.all(ast.Import) for alias in node.names):
        name = alias.asname or alias.name.partition(".")[0]
        found[name] = alias.name if alias.asname else name
    for node in file.all(ast.ImportFrom):
        origin = f"{node.module}." if node.module and not node.level else ""
        found |= {alias.asname or alias.name: origin + alias.name for alias in node.names}
    return found


def _module_classes(file: SourceFile) -> frozenset[str]:
    """Names of the file's classes that are nn.Modules: by a base that is called so, or by a method `forward`."""
    classes = file.all(ast.ClassDef)
    functions = [(node.name, item) for node in classes for item in node.body if isinstance(item, FunctionDef)]
    found = {owner for owner, function in functions if function.name == "forward"}
    for _ in range(4):  # bases of bases, in whatever order they are written
        for node in classes:
            bases = [file.name_of(base).rpartition(".")[2] for base in node.bases]
            if any(base.endswith("Module") or base in found for base in bases):
                found.add(node.name)
    return frozenset(found)
