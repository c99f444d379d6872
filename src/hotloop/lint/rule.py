"""Rule: one slow or unsafe pattern, with its documentation and the function that finds it. See `rules/README.md`."""

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar

from hotloop.lint.source_model.source_file import SourceFile

__all__ = ["AnyRule", "Rule", "RuleDoc", "SourceFile", "Unlinted", "Violation", "Violations"]

Node_contra = TypeVar("Node_contra", bound=ast.AST, contravariant=True)


@dataclass(frozen=True, kw_only=True)
class RuleDoc:
    """What the reference says of a rule; each field is whole sentences in Markdown.

    `title` is a few words. `at_runtime` says how the running program shows the same thing. `not_reported` says what
    looks alike and is not reported. `transform` names the registered transform that cures it, where one does.
    """

    title: str
    why: str
    cure: str
    at_runtime: str = ""
    not_reported: str = ""
    transform: str | None = None


@dataclass(frozen=True, kw_only=True)
class Unlinted:
    """Why no line of source is reported for a code, and which tool reports it instead."""

    reason: str
    tool: str


@dataclass(frozen=True)
class Violation:
    """One node that breaks a rule, and what it does there, in one sentence."""

    node: ast.expr | ast.stmt
    message: str


Violations = Iterable[Violation]


class Rule(Protocol[Node_contra]):
    """A pattern that can be found in source; `check` is given the nodes and calls that are asked for here."""

    code: ClassVar[str]
    doc: ClassVar[RuleDoc]
    nodes: ClassVar[tuple[type[ast.AST], ...]] = ()
    calls: ClassVar[frozenset[str]] = frozenset()
    hot_only: ClassVar[bool] = False

    def check(self, node: Node_contra, file: SourceFile) -> Violations:
        """Yield what `node` breaks, if anything."""
        ...


AnyRule = Rule[Any]
