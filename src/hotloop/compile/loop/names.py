"""Which names and dotted paths statements read and write, as Python scopes them."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(kw_only=True)
class NameFlow:
    """Names of a run of statements: read before they are surely written; surely written; written at all."""

    inputs: dict[str, int] = field(default_factory=dict[str, int])
    written: set[str] = field(default_factory=set[str])
    maybe: set[str] = field(default_factory=set[str])


def flow(statements: Iterable[ast.stmt], *, given: frozenset[str] = frozenset()) -> NameFlow:
    """The flow of names through statements in their order; `inputs` maps each to the line of its first read.

    A branch or a loop body may not run: what it writes counts as `maybe` alone. `given` are written before.
    """
    found = NameFlow(written=set(given))
    for statement in statements:
        _follow(statement, found)
    found.written -= given
    found.maybe |= found.written
    return found


def _follow(statement: ast.stmt, found: NameFlow) -> None:
    match statement:
        case ast.With():
            for item in statement.items:
                _read(item.context_expr, found)
                found.written |= stored_in([item.optional_vars] if item.optional_vars else [])
            for inner in statement.body:
                _follow(inner, found)
        case ast.If():
            _read(statement.test, found)
            _branches([statement.body, statement.orelse], found)
        case ast.For():
            _read(statement.iter, found)
            targets = stored_in([statement.target])
            found.maybe |= targets
            _branches([statement.body, statement.orelse], found, given=targets)
        case _:
            _read(statement, found)
            found.written |= stored_in([statement])


def _branches(bodies: list[list[ast.stmt]], found: NameFlow, *, given: set[str] | None = None) -> None:
    for body in bodies:
        inner = flow(body, given=frozenset(found.written | (given or set())))
        for name, line in inner.inputs.items():
            found.inputs.setdefault(name, line)
        found.maybe |= inner.maybe - found.written


def _read(node: ast.AST, found: NameFlow) -> None:
    for name, line in loads_in(node):
        if name not in found.written:
            found.inputs.setdefault(name, line)


def loads_in(
    node: ast.AST, hidden: frozenset[str] = frozenset(), *, skipped: frozenset[int] = frozenset()
) -> Iterator[tuple[str, int]]:
    """Names that are read from outside of the node, with their lines.

    Variables of comprehensions, lambdas and functions are their own, and those of a loop are bound by it. What lies
    under nodes of the ids in `skipped` is left out.
    """
    if id(node) in skipped:
        return
    if isinstance(node, ast.Name):
        if not isinstance(node.ctx, ast.Store) and node.id not in hidden:
            yield node.id, node.lineno
        return
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name) and node.target.id not in hidden:
        yield node.target.id, node.lineno
    bound, inner = _bound_by(node)
    for child in ast.iter_child_nodes(node):
        yield from loads_in(child, hidden | bound if id(child) in inner else hidden, skipped=skipped)


def _bound_by(node: ast.AST) -> tuple[frozenset[str], set[int]]:
    """Names that a node binds for some of its children, and the ids of those children."""
    match node:
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            targets = stored_in([generator.target for generator in node.generators])
            first = node.generators[0]  # what it goes over is evaluated outside
            if any(name in targets for name, _ in loads_in(first.iter)):
                return frozenset(), set()
            return frozenset(targets), {id(child) for child in ast.iter_child_nodes(node)}
        case ast.Lambda():
            return frozenset(_arguments(node.args)), {id(node.body)}
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            shared = {n for d in ast.walk(node) if isinstance(d, (ast.Global, ast.Nonlocal)) for n in d.names}
            own = _arguments(node.args) | stored_in(node.body)
            return frozenset(own - shared), set(map(id, node.body))
        case ast.For():
            return frozenset(stored_in([node.target])), set(map(id, node.body))
        case _:
            return frozenset(), set()


def _arguments(arguments: ast.arguments) -> set[str]:
    return {node.arg for node in ast.walk(arguments) if isinstance(node, ast.arg)}


def stored_in(nodes: Iterable[ast.AST]) -> set[str]:
    """Names that are bound, those inside of functions, classes and comprehensions left out."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, _SCOPES):
            if not isinstance(node, ast.Lambda):
                found.add(node.name)
            continue
        if isinstance(node, _COMPREHENSIONS):
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ExceptHandler) and node.name:
            found.add(node.name)
        found |= stored_in(ast.iter_child_nodes(node))
    return found


def dotted(node: ast.AST) -> str:
    """`a.b.c` of a name or a chain of attributes; empty for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([node.id, *reversed(parts)])


def walk_here(node: ast.AST) -> Iterator[ast.AST]:
    """The node and all below it, functions and classes defined there left out."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield from walk_here(child)


def calls_in(node: ast.AST) -> Iterator[ast.Call]:
    """Calls that the node itself makes."""
    return (inner for inner in walk_here(node) if isinstance(inner, ast.Call))
