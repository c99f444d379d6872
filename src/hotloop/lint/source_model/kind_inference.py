"""KindInference: the kinds of the expressions of one file, followed through names and calls."""

import ast
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from hotloop.lint.source_model.expressions import LOADER, LOGGER, MODULE, OPTIMIZER, is_usual, last_name, words
from hotloop.lint.source_model.kind import Kind, annotated_kind
from hotloop.lint.source_model.library_kinds import function_kind, method_kind
from hotloop.lint.source_model.node_types import FunctionDef, iterations
from hotloop.lint.source_model.position import Binding, Scope

_PLAIN_ATTRIBUTES = words(
    "shape dtype device ndim is_cuda requires_grad is_leaf layout itemsize nbytes grad_fn names is_sparse"
)
_USUAL = ((LOADER, Kind.LOADER), (MODULE, Kind.MODULE), (OPTIMIZER, Kind.OPTIMIZER), (LOGGER, Kind.LOGGER))
_TENSOR_ATTRIBUTES = frozenset({"grad", "data", "T", "mT", "H", "mH", "real", "imag"})
_TENSOR_LIKE = frozenset({Kind.TENSOR, Kind.OUTPUT})
_HOLD_TENSORS = frozenset({Kind.TENSOR, Kind.TENSORS, Kind.OUTPUT})
_KEPT_BY_INDEX = frozenset({Kind.TENSOR, Kind.OUTPUT, Kind.ARRAY, Kind.FRAME, Kind.NUMBER})
_KEPT_BY_UNPACKING = _KEPT_BY_INDEX - {Kind.FRAME}


class KindInference:
    """The kind of each expression; worked out once."""

    def __init__(
        self,
        name_of: Callable[[ast.AST], str],
        binding: Callable[[ast.expr], Binding | None],
        scope_of: Callable[[ast.AST], Scope],
        modules: frozenset[str],
        backward: frozenset[str],
    ) -> None:
        self._name_of = name_of
        self._binding = binding
        self._scope_of = scope_of
        self._modules = modules
        self._backward = backward
        self._known: dict[ast.AST, Kind] = {}
        self._forms: dict[type[ast.AST], Callable[[Any], Kind]] = {
            ast.Name: lambda node: self._of_binding(found) if (found := self._binding(node)) else _usual_kind(node.id),
            ast.Attribute: self._of_attribute,
            ast.Call: self._of_call,
            ast.Subscript: lambda node: _part_of(self.kind(node.value), _KEPT_BY_INDEX),
            ast.BinOp: self._of_binop,
            ast.Compare: self._of_compare,
            ast.UnaryOp: lambda node: Kind.NUMBER if isinstance(node.op, ast.Not) else self.kind(node.operand),
            ast.IfExp: lambda node: self._either(node.body, node.orelse),
            ast.BoolOp: lambda node: self._either(*node.values),
            ast.NamedExpr: lambda node: self.kind(node.value),
            ast.Await: lambda node: self.kind(node.value),
            ast.Constant: lambda node: Kind.UNKNOWN if node.value is None else Kind.NUMBER,
            ast.JoinedStr: lambda _: Kind.NUMBER,
            ast.List: lambda node: self._iterable_of(*node.elts),
            ast.Tuple: lambda node: self._iterable_of(*node.elts),
            ast.ListComp: lambda node: self._iterable_of(node.elt),
            ast.GeneratorExp: lambda node: self._iterable_of(node.elt),
        }

    def kind(self, node: ast.AST) -> Kind:
        """The kind of an expression; UNKNOWN where the source does not tell."""
        known = self._known.get(node)
        if known is not None:
            return known
        chain: list[ast.AST] = []
        part = node
        while isinstance(part, (ast.Call, ast.Attribute, ast.Subscript)) and part not in self._known:
            chain.append(part)
            part = part.func if isinstance(part, ast.Call) else part.value
        for link in reversed(chain):  # from the innermost, so that chains of a thousand methods need no deep stack
            self._infer(link)
        return self._known[node] if chain else self._infer(node)

    def is_tensor(self, node: ast.AST) -> bool:
        """Whether an expression is a tensor or what a module returned."""
        return self.kind(node) in _TENSOR_LIKE

    def _infer(self, node: ast.AST) -> Kind:
        self._known[node] = Kind.UNKNOWN  # a name that is bound to itself ends here
        form = self._forms.get(type(node))
        found = self._known[node] = form(node) if form else Kind.UNKNOWN
        return found

    def _either(self, *nodes: ast.expr) -> Kind:
        kinds = [self.kind(node) for node in nodes]
        return next((kind for kind in kinds if kind not in (Kind.UNKNOWN, Kind.NUMBER)), kinds[0])

    def _iterable_of(self, *elements: ast.expr) -> Kind:
        return Kind.TENSORS if any(self.is_tensor(element) for element in elements) else Kind.UNKNOWN

    def _of_binop(self, node: ast.BinOp) -> Kind:
        right: list[ast.expr] = []
        left: ast.expr = node
        while isinstance(left, ast.BinOp):  # not by recursion: sums of a thousand terms exist
            right.append(left.right)
            left = left.left
        kinds = {self.kind(left), *(self.kind(term) for term in right)}
        for strong in (Kind.TENSOR, Kind.OUTPUT, Kind.BATCH, Kind.ARRAY, Kind.FRAME):
            if strong in kinds:
                return Kind.TENSOR if strong in (Kind.OUTPUT, Kind.BATCH) else strong
        return Kind.NUMBER if kinds == {Kind.NUMBER} else Kind.UNKNOWN

    def _of_compare(self, node: ast.Compare) -> Kind:
        if any(isinstance(op, (ast.Is, ast.IsNot, ast.In, ast.NotIn)) for op in node.ops):
            return Kind.NUMBER
        kinds = {self.kind(term) for term in (node.left, *node.comparators)}
        if Kind.BATCH in kinds or Kind.OUTPUT in kinds:
            return Kind.TENSOR
        return next((kind for kind in (Kind.TENSOR, Kind.ARRAY, Kind.FRAME) if kind in kinds), Kind.UNKNOWN)

    def _of_attribute(self, node: ast.Attribute) -> Kind:
        binding = self._binding(node)
        if binding is not None:
            return self._of_binding(binding)
        if node.attr in _PLAIN_ATTRIBUTES:
            return Kind.NUMBER
        of = self.kind(node.value)
        if node.attr in _TENSOR_ATTRIBUTES and of not in (Kind.ARRAY, Kind.FRAME):
            return Kind.TENSOR if node.attr == "grad" or of in _TENSOR_LIKE else Kind.UNKNOWN
        if of in (Kind.OUTPUT, Kind.BATCH):
            return Kind.OUTPUT
        name = self._name_of(node)
        return Kind.UNKNOWN if name.startswith("torch.") else _usual_kind(name)

    def _of_binding(self, binding: Binding) -> Kind:
        if binding.name in self._backward:
            return Kind.TENSOR
        if binding.annotation is not None:
            annotated = annotated_kind(binding.annotation)
            if annotated is not Kind.UNKNOWN:
                return annotated
        if binding.how == "argument":
            return self._of_argument(binding)
        usual = _usual_kind(binding.name)
        if binding.how == "unpack" and usual is not Kind.UNKNOWN:
            return usual  # model, optimizer, loader = prepare(...)
        found = self._of_bound_value(binding)
        return usual if found is Kind.UNKNOWN and binding.how != "import" else found

    def _of_bound_value(self, binding: Binding) -> Kind:
        if binding.value is None:
            return Kind.UNKNOWN
        if binding.how in ("for", "for-unpack"):
            paths = (_path_to(binding.target, target) for _, target in iterations(binding.statement))
            path = next((path for path in paths if path is not None), None)
            return Kind.UNKNOWN if path is None else self._element(binding.value, path)
        if binding.how == "unpack":
            return self._unpacked(binding, binding.value)
        return self.kind(binding.value) if binding.how in ("assign", "aug") else Kind.UNKNOWN

    def _unpacked(self, binding: Binding, value: ast.expr) -> Kind:
        if isinstance(value, ast.Tuple) and isinstance(binding.statement, ast.Assign):
            paths = (_path_to(binding.target, target) for target in binding.statement.targets)
            path = next((path for path in paths if path), [])
            if len(path) == 1 and path[0] < len(value.elts):
                return self.kind(value.elts[path[0]])
        return _part_of(self.kind(value), _KEPT_BY_UNPACKING)

    def _of_argument(self, binding: Binding) -> Kind:
        scope = self._scope_of(binding.target)
        function, owner = scope.node, scope.owner
        if isinstance(function, FunctionDef) and owner is not None and binding.name != "self":
            if function.name.endswith("_step") and binding.name == "batch":
                return Kind.BATCH
            if function.name == "forward" and owner.name in self._modules and binding.value is None:
                return Kind.TENSOR if binding.annotation is None else Kind.UNKNOWN
        plain = isinstance(binding.value, ast.Constant) and binding.value.value is not None
        return Kind.NUMBER if plain else _usual_kind(binding.name)

    def _element(self, iterable: ast.expr, path: list[int]) -> Kind:
        """The kind of an element; `path` leads into the tuple that is unpacked from each."""
        if isinstance(iterable, ast.Call):
            known = self._element_of_call(iterable, path)
            if known is not None:
                return known
        of = self.kind(iterable)
        if of is Kind.LOADER:
            return Kind.TENSOR if path else Kind.BATCH
        return Kind.TENSOR if of in _HOLD_TENSORS else Kind.UNKNOWN

    def _element_of_call(self, call: ast.Call, path: list[int]) -> Kind | None:
        """The kind of an element of what a call returns, where its name tells; None where its own kind has to."""
        name, first = last_name(call.func), path[:1]
        if name == "range" or (name == "enumerate" and first == [0]):
            return Kind.NUMBER
        if name in ("named_parameters", "named_buffers"):
            return Kind.TENSOR if path == [1] else Kind.NUMBER
        if not call.args or self.kind(call) is Kind.LOADER or self.kind(call) in _HOLD_TENSORS:
            return None
        if name in ("enumerate", "zip"):
            which = first[0] if name == "zip" and first else 0
            return self._element(call.args[which], path[1:]) if path and which < len(call.args) else None
        return self._element(call.args[0], path)  # tqdm(...), islice(...), sorted(...)

    def _of_call(self, node: ast.Call) -> Kind:
        name = self._name_of(node.func)
        found = Kind.MODULE if name in self._modules else function_kind(name)
        if found is Kind.UNKNOWN and isinstance(node.func, ast.Attribute):
            found = method_kind(node.func.attr, self.kind(node.func.value))
        if found is Kind.UNKNOWN and self.kind(node.func) is Kind.MODULE:
            return Kind.OUTPUT
        return found


def _part_of(of: Kind, kept: frozenset[Kind]) -> Kind:
    """The kind of a part of a value of kind `of`, which is the same for those of `kept`."""
    if of in (Kind.TENSORS, Kind.BATCH):
        return Kind.TENSOR
    return of if of in kept else Kind.UNKNOWN


@lru_cache(maxsize=10_000)
def _usual_kind(name: str) -> Kind:
    return next((kind for names, kind in _USUAL if is_usual(name, names)), Kind.UNKNOWN)


def _path_to(wanted: ast.AST, target: ast.expr) -> list[int] | None:
    """The indexes that lead from a target of an assignment to a name in it, or None."""
    if target is wanted:
        return []
    if isinstance(target, ast.Starred):
        return _path_to(wanted, target.value)
    if isinstance(target, (ast.Tuple, ast.List)):
        for index, element in enumerate(target.elts):
            below = _path_to(wanted, element)
            if below is not None:
                return [index, *below]
    return None
