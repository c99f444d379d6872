"""TreeIndex: every node of a file in the order of evaluation, with its parent and position, from one pass."""

import ast
from collections import defaultdict
from collections.abc import Iterator

from hotloop.lint.source_model.evaluation_order import CHILDREN, children_of
from hotloop.lint.source_model.position import Binding, Position, Scope
from hotloop.lint.source_model.training_steps import mark_training_steps


class TreeIndex:
    """What one pass over a tree recorded; all nodes under a node stand together in `nodes`.

    `order[node]` is the index of a node there. `parents[i]` and `ends[i]` are indexes, too: of the parent, and of the
    first node not under node i. Values come before the targets they are assigned to, so a name means its last binding
    of lower order.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.nodes: list[ast.AST] = []
        self.parents: list[int] = []
        self.positions: list[Position] = []
        self.order: dict[ast.AST, int] = {}
        self.by_type: defaultdict[type[ast.AST], list[ast.AST]] = defaultdict(list)
        self.scopes: dict[ast.AST, Scope] = {}
        self._visit(tree)
        self.ends = self._ends()
        for binding in self.bindings():
            binding.order = self.order[binding.target]
        mark_training_steps(self.by_type.get(ast.Call, []), lambda node: self.positions[self.order[node]])

    def bindings(self) -> Iterator[Binding]:
        """Every binding of the file, scope by scope."""
        for scope in self.scopes.values():
            for same_name in scope.bindings.values():
                yield from same_name

    def _visit(self, tree: ast.Module) -> None:
        nodes, parents, positions, order, by_type = self.nodes, self.parents, self.positions, self.order, self.by_type
        self.scopes[tree] = Scope(tree, None, "")
        stack: list[tuple[ast.AST, Position, int]] = [(tree, Position(self.scopes[tree]), 0)]
        while stack:
            node, position, parent = stack.pop()
            kind = type(node)
            here = len(nodes)
            order[node] = here
            nodes.append(node)
            parents.append(parent)
            positions.append(position)
            by_type[kind].append(node)
            children = CHILDREN.get(kind)
            if children is None:
                below = [(child, position, here) for child in children_of(node)]
            else:
                below = [(child, inner, here) for child, inner in children(node, position)]
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
