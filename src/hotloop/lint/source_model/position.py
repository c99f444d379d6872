"""Position: the scope, loops and rare branches around a node, and whether the code there runs for every batch."""

import ast
import re
from dataclasses import dataclass, field
from typing import Literal

from hotloop.lint.source_model.expressions import words
from hotloop.lint.source_model.node_types import Comprehension, FunctionDef, LoopNode, ScopeNode

How = Literal["assign", "unpack", "aug", "for", "for-unpack", "argument", "with", "import", "definition", "other"]

_STEP_METHODS = words("training_step validation_step test_step predict_step train_step")
_COLLATE = re.compile(r"(^|_)collate(_|$)")


@dataclass(slots=True, eq=False)
class Binding:
    """One assignment to a name: `value` is the right-hand side, what is iterated, or the `with` expression.

    `statement` is the statement (or argument) that binds and `target` the part of it that is bound; `order` is the
    target's index in the order of evaluation. For arguments `value` is the default, where there is one.
    """

    name: str
    how: How
    value: ast.expr | None
    target: ast.AST
    statement: ast.AST
    annotation: ast.expr | None = None
    order: int = -1


@dataclass(slots=True, eq=False)
class Scope:
    """A module, class, function or comprehension, with what is bound in it, by name and in order."""

    node: ScopeNode
    parent: "Scope | None"
    qualname: str
    position: "Position | None" = None  # where the scope itself stands
    bindings: dict[str, list[Binding]] = field(default_factory=dict[str, list[Binding]])
    uses: dict[str, list[ast.Name]] = field(default_factory=dict[str, list[ast.Name]])
    holds_backward: bool = False  # directly: not inside one of its loops
    holds_step: bool = False

    @property
    def function(self) -> FunctionDef | None:
        """The def that this scope is or is in; None at the level of a module or class."""
        if isinstance(self.node, (Comprehension, ast.Lambda)):
            return self.parent.function if self.parent is not None else None
        return self.node if isinstance(self.node, FunctionDef) else None

    @property
    def owner(self) -> ast.ClassDef | None:
        """The class whose body holds this scope's def."""
        if isinstance(self.node, ast.ClassDef):
            return self.node
        return self.parent.owner if self.parent is not None else None


@dataclass(slots=True, eq=False)
class Loop:
    """A for, while or comprehension, and whether it iterates a loader or trains."""

    node: LoopNode
    iterates_loader: bool = False
    holds_step: bool = False  # backward() or optimizer.step() directly in it, not in a loop further in

    @property
    def is_batch_loop(self) -> bool:
        return self.iterates_loader or self.holds_step


@dataclass(slots=True, eq=False)
class Branch:
    """A branch of an `if` that is taken rarely: it raises, leaves the loop, or runs every N steps.

    `depth` is the number of loops around it. A branch that holds the optimizer's step is a step (accumulation).
    """

    kind: Literal["raise", "every", "return", "break"]
    depth: int
    holds_step: bool = False


@dataclass(frozen=True, slots=True)
class HotContext:
    """Code that runs for every batch (or sample): a batch loop, or the body of a function that is called for each."""

    kind: Literal["batch loop", "forward", "step", "getitem", "collate"]
    node: ast.AST

    @property
    def loads_data(self) -> bool:
        """True where a loader's worker runs it, once a sample or batch."""
        return self.kind in ("getitem", "collate")

    @property
    def often(self) -> str:
        """How often it runs, in words for a message."""
        return {"getitem": "for every sample", "collate": "for every batch", "forward": "in every forward"}.get(
            self.kind, "in every step"
        )


@dataclass(slots=True, eq=False)
class Position:
    """Where nodes stand: innermost scope, loops of that function from outer to inner, rare branches."""

    scope: Scope
    loops: tuple[Loop, ...] = ()
    branches: tuple[Branch, ...] = ()
    _hot: HotContext | None = None
    _known: bool = False

    @property
    def hot(self) -> HotContext | None:
        """The hot context here. Asked only after the whole file is indexed, when all loops are known."""
        if not self._known:
            self._hot, self._known = self._find(), True
        return self._hot

    def _find(self) -> HotContext | None:
        for index in range(len(self.loops) - 1, -1, -1):
            if self.loops[index].is_batch_loop:
                # A branch that only leaves a loop further in is not rare in this one.
                inside = [branch for branch in self.branches if branch.depth > index and not branch.holds_step]
                rare = any(branch.kind != "break" or branch.depth == index + 1 for branch in inside)
                return None if rare else HotContext("batch loop", self.loops[index].node)
        if any(branch.kind in ("raise", "every") and not branch.holds_step for branch in self.branches):
            return None
        own = _hot_function(self.scope)
        if own is not None:
            return own
        outer = self.scope.position if not isinstance(self.scope.node, (ast.ClassDef, ast.Module)) else None
        return outer.hot if outer is not None else None


def _hot_function(scope: Scope) -> HotContext | None:
    node = scope.node
    if not isinstance(node, FunctionDef):
        return None
    if node.name == "forward":
        return HotContext("forward", node) if scope.owner is not None else None
    if node.name in ("__getitem__", "__getitems__"):
        return HotContext("getitem", node)
    if _COLLATE.search(node.name):
        return HotContext("collate", node)
    if node.name in _STEP_METHODS or (scope.holds_backward and scope.holds_step):
        return HotContext("step", node)
    return None
