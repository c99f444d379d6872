"""The one walk of a file: every node in source order with its parent and place, every name with its bindings."""

import ast
from collections.abc import Iterator

from hotloop.lint.source_model.evaluation_order import EXPAND, children_of
from hotloop.lint.source_model.position import Binding, Place, Scope
from hotloop.lint.source_model.training_steps import credit_steps


class Walk:
    """What one pass over a tree recorded; `nodes` is in source order, so that all under a node lie together.

    `parents[i]` and `ends[i]` are indexes into `nodes`: of the parent, and of the first node not under node i.
    Values come before the targets they are assigned to, so a name means its last binding of lower order.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.nodes: list[ast.AST] = []
        self.parents: list[int] = []
        self.places: list[Place] = []
        self.index: dict[ast.AST, int] = {}
        self.by_type: dict[type[ast.AST], list[ast.AST]] = {}
        self.scopes: dict[ast.AST, Scope] = {}
        self._run(tree)
        self.ends = self._ends()
        for binding in self.bindings():
            binding.order = self.index[binding.target]
        credit_steps(self.by_type.get(ast.Call, []), lambda node: self.places[self.index[node]])

    def bindings(self) -> Iterator[Binding]:
        """Every binding of the file, scope by scope."""
        for scope in self.scopes.values():
            for same_name in scope.bindings.values():
                yield from same_name

    def _run(self, tree: ast.Module) -> None:
        nodes, parents, places, index, by_type = self.nodes, self.parents, self.places, self.index, self.by_type
        self.scopes[tree] = Scope(tree, None, "")
        stack: list[tuple[ast.AST, Place, int]] = [(tree, Place(self.scopes[tree]), 0)]
        while stack:
            node, place, parent = stack.pop()
            kind = type(node)
            here = len(nodes)
            index[node] = here
            nodes.append(node)
            parents.append(parent)
            places.append(place)
            if kind not in by_type:
                by_type[kind] = []
            by_type[kind].append(node)
            expand = EXPAND.get(kind)
            if expand is None:
                below = [(child, place, here) for child in children_of(node)]
            else:
                below = [(child, inner, here) for child, inner in expand(node, place)]
                if below and below[-1][1].scope.node is node:
                    self.scopes[node] = below[-1][1].scope
            below.reverse()
            stack += below

    def _ends(self) -> list[int]:
        ends = list(range(1, len(self.nodes) + 1))
        for here in range(len(self.nodes) - 1, 0, -1):
            parent = self.parents[here]
            ends[parent] = max(ends[parent], ends[here])
        return ends
