"""Every function of a file, and how long it and its body are."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tools.house.offender import Offender
from tools.house.source import Source

MOST_STATEMENTS = 40

Definition = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, kw_only=True)
class Function:
    """One function; what is nested in it counts for it too, and once more for itself."""

    source: Source
    node: Definition

    @property
    def num_lines(self) -> int:
        """Lines from `def` to the end, decorators left out."""
        return _span([self.node])

    @property
    def num_body_lines(self) -> int:
        """Lines of the body without its docstring."""
        return _span(without_docstring(self.node))

    @property
    def num_statements(self) -> int:
        """Statements of the body at any depth, without its docstring."""
        return sum(isinstance(node, ast.stmt) for top in without_docstring(self.node) for node in ast.walk(top))


def functions(sources: Iterable[Source]) -> Iterator[Function]:
    """All of them, methods and nested ones included."""
    for source in sources:
        for node in ast.walk(source.tree):
            if isinstance(node, Definition):
                yield Function(source=source, node=node)


def long_bodies(sources: Iterable[Source], most: int = MOST_STATEMENTS) -> list[Offender]:
    """Functions with more statements than `most`."""
    return [
        Offender(
            path=found.source.path,
            line=found.node.lineno,
            what=f"{found.node.name} has {found.num_statements} statements",
        )
        for found in functions(sources)
        if found.num_statements > most
    ]


def without_docstring(node: Definition | ast.ClassDef | ast.Module) -> list[ast.stmt]:
    """The body, less the docstring that may begin it."""
    return node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body


def _span(nodes: list[ast.stmt] | list[Definition]) -> int:
    return (nodes[-1].end_lineno or nodes[-1].lineno) - nodes[0].lineno + 1 if nodes else 0
