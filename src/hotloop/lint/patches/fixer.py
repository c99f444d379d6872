"""Fixer: what cures the findings of one rule without a change to any number that the program computes."""

import ast
from typing import ClassVar, Protocol, TypeVar

from hotloop.lint.patches.concrete_source import ConcreteSource
from hotloop.lint.patches.edits import Edits

Node_contra = TypeVar("Node_contra", bound=ast.AST, contravariant=True)


class Fixer(Protocol[Node_contra]):
    """`node` is the type of the nodes that the rule reports, `calls` the names of the calls where it reports calls."""

    code: ClassVar[str]
    node: ClassVar[type[ast.AST]]
    calls: ClassVar[frozenset[str]] = frozenset()

    def edits(self, node: Node_contra, source: ConcreteSource) -> Edits:
        """The changes that cure a node. Raises NotExact with the reason where the program could compute otherwise."""
        ...
