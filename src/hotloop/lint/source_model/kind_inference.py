"""What an expression is, as far as the source tells: a tensor, a module's output, a loader, an array, a number."""

import ast
from collections.abc import Callable, Iterator
from enum import StrEnum

from hotloop.lint.source_model.names import (
    dotted,
    last_name,
    looks_like_loader,
    looks_like_logger,
    looks_like_module,
    looks_like_optimizer,
    words,
)
from hotloop.lint.source_model.position import Binding, Scope


class Kind(StrEnum):
    """The light types that rules reason with. UNKNOWN is an answer: rules stay silent on it."""

    UNKNOWN = "unknown"
    TENSOR = "tensor"
    OUTPUT = "output"  # what a module returned: a tensor, or a structure of tensors
    TENSORS = "tensors"  # an iterable of tensors
    BATCH = "batch"  # what a loader yields
    MODULE = "module"
    LOADER = "loader"
    OPTIMIZER = "optimizer"
    NUMBER = "number"  # a Python number, string, shape, dtype or device
    ARRAY = "array"  # NumPy
    FRAME = "frame"  # pandas, polars
    LOGGER = "logger"


_NO_TENSOR = words(
    "no_grad enable_grad inference_mode compile device dtype finfo iinfo save load manual_seed seed Generator Size "
    "numel typename result_type promote_types can_cast allclose equal autocast vmap cond export script trace "
    "initial_seed default_generator hub jit multiprocessing"
)
_NO_TENSOR_PREFIXES = ("is_", "are_", "set_", "get_", "use_")
_PLAIN_METHODS = words(
    "item size dim numel nelement element_size stride data_ptr get_device is_contiguous is_floating_point is_complex "
    "storage_offset ndimension type tolist keys is_pinned is_shared untyped_storage __len__"
)
_PLAIN_ATTRIBUTES = words(
    "shape dtype device ndim is_cuda requires_grad is_leaf layout itemsize nbytes grad_fn names is_sparse"
)
_TENSOR_ATTRIBUTES = frozenset({"grad", "data", "T", "mT", "H", "mH", "real", "imag"})
_ONLY_TENSORS_HAVE = words(
    "detach unsqueeze unsqueeze_ requires_grad_ contiguous detach_ masked_fill masked_fill_ new_zeros new_ones "
    "new_tensor new_full expand_as view_as index_select scatter_add_ index_add_"
)
_OF_BATCHES = words(
    "mean sum std var abs max min amax amin argmax norm float half bfloat16 long view reshape flatten permute "
    "transpose square sqrt exp log mul add sub div clamp isnan isfinite eq ne gt lt any all flip clone"
)
_NUMBER_CALLS = words("float int bool len str round abs range repr id hash ord isinstance hasattr")
_LIBRARIES = (
    ("torch.linalg.", Kind.TENSOR),
    ("torch.fft.", Kind.TENSOR),
    ("torch.special.", Kind.TENSOR),
    ("torch.sparse.", Kind.TENSOR),
    ("torch.optim.", Kind.OPTIMIZER),
    ("numpy.", Kind.ARRAY),
    ("pandas.", Kind.FRAME),
    ("polars.", Kind.FRAME),
    ("logging.getLogger", Kind.LOGGER),
)
_TENSOR_LIKE = frozenset({Kind.TENSOR, Kind.OUTPUT})
_HOLD_TENSORS = frozenset({Kind.TENSOR, Kind.TENSORS, Kind.OUTPUT})
_STAY_THEMSELVES = frozenset({Kind.TENSOR, Kind.ARRAY, Kind.FRAME, Kind.OUTPUT})
_METHODS = {"parameters": Kind.TENSORS, "buffers": Kind.TENSORS, "numpy": Kind.ARRAY, "item": Kind.NUMBER}
_MOVES = frozenset({"to", "cuda", "cpu", "eval", "train", "half"})
_COMPUTES = frozenset({"forward", "loss", "training_step", "generate", "predict"})


class Kinds:
    """Answers for the expressions of one file; each is worked out once."""

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
        self._forms: dict[type[ast.AST], Callable[..., Kind]] = {
            ast.Name: self._of_name,
            ast.Attribute: self._of_attribute,
            ast.Call: self._of_call,
            ast.Subscript: self._of_subscript,
            ast.BinOp: self._of_binop,
            ast.Compare: self._of_compare,
            ast.UnaryOp: self._of_unary,
            ast.IfExp: self._of_choice,
            ast.BoolOp: self._of_boolop,
            ast.NamedExpr: self._of_value,
            ast.Await: self._of_value,
            ast.Constant: _of_constant,
            ast.JoinedStr: _of_text,
            ast.List: self._of_sequence,
            ast.Tuple: self._of_sequence,
            ast.ListComp: self._of_comprehension,
            ast.GeneratorExp: self._of_comprehension,
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
            self._work_out(link)
        return self._known[node] if chain else self._work_out(node)

    def _work_out(self, node: ast.AST) -> Kind:
        self._known[node] = Kind.UNKNOWN  # a name that is bound to itself ends here
        form = self._forms.get(type(node))
        found = self._known[node] = form(node) if form else Kind.UNKNOWN
        return found

    def is_tensor(self, node: ast.AST) -> bool:
        """Whether an expression is a tensor or what a module returned."""
        return self.kind(node) in _TENSOR_LIKE

    def _either(self, *nodes: ast.expr) -> Kind:
        kinds = [self.kind(node) for node in nodes]
        return next((kind for kind in kinds if kind not in (Kind.UNKNOWN, Kind.NUMBER)), kinds[0])

    def _of_choice(self, node: ast.IfExp) -> Kind:
        return self._either(node.body, node.orelse)

    def _of_boolop(self, node: ast.BoolOp) -> Kind:
        return self._either(*node.values)

    def _of_value(self, node: ast.NamedExpr | ast.Await) -> Kind:
        return self.kind(node.value)

    def _of_comprehension(self, node: ast.ListComp | ast.GeneratorExp) -> Kind:
        return Kind.TENSORS if self.is_tensor(node.elt) else Kind.UNKNOWN

    def _of_sequence(self, node: ast.List | ast.Tuple) -> Kind:
        return Kind.TENSORS if any(self.is_tensor(element) for element in node.elts) else Kind.UNKNOWN

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

    def _of_unary(self, node: ast.UnaryOp) -> Kind:
        return Kind.NUMBER if isinstance(node.op, ast.Not) else self.kind(node.operand)

    def _of_subscript(self, node: ast.Subscript) -> Kind:
        of = self.kind(node.value)
        if of in (Kind.TENSORS, Kind.BATCH):
            return Kind.TENSOR
        return of if of in (Kind.TENSOR, Kind.OUTPUT, Kind.ARRAY, Kind.FRAME, Kind.NUMBER) else Kind.UNKNOWN

    def _of_attribute(self, node: ast.Attribute) -> Kind:
        bound = self._binding(node)
        if bound is not None:
            return self._of_binding(bound)
        if node.attr in _PLAIN_ATTRIBUTES:
            return Kind.NUMBER
        of = self.kind(node.value)
        if node.attr in _TENSOR_ATTRIBUTES and of not in (Kind.ARRAY, Kind.FRAME):
            return Kind.TENSOR if node.attr == "grad" or of in _TENSOR_LIKE else Kind.UNKNOWN
        if of in (Kind.OUTPUT, Kind.BATCH):
            return Kind.OUTPUT
        name = self._name_of(node)
        return Kind.UNKNOWN if name.startswith("torch.") else self._by_habit(name)

    def _of_name(self, node: ast.Name) -> Kind:
        bound = self._binding(node)
        return self._by_habit(node.id) if bound is None else self._of_binding(bound)

    def _by_habit(self, name: str) -> Kind:
        if looks_like_loader(name):
            return Kind.LOADER
        if looks_like_module(name):
            return Kind.MODULE
        if looks_like_optimizer(name):
            return Kind.OPTIMIZER
        return Kind.LOGGER if looks_like_logger(name) else Kind.UNKNOWN

    def _of_binding(self, bound: Binding) -> Kind:
        if bound.name in self._backward:
            return Kind.TENSOR
        if bound.annotation is not None:
            said = _annotated(bound.annotation)
            if said is not Kind.UNKNOWN:
                return said
        if bound.how == "argument":
            return self._of_argument(bound)
        if bound.how == "unpack" and self._by_habit(bound.name) is not Kind.UNKNOWN:
            return self._by_habit(bound.name)  # model, optimizer, loader = prepare(...)
        found = self._of_bound_value(bound)
        return self._by_habit(bound.name) if found is Kind.UNKNOWN and bound.how != "import" else found

    def _of_bound_value(self, bound: Binding) -> Kind:
        if bound.value is None:
            return Kind.UNKNOWN
        if bound.how in ("for", "for-unpack"):
            return self._of_element(bound)
        if bound.how == "unpack":
            return self._unpacked(bound)
        return self.kind(bound.value) if bound.how in ("assign", "aug") else Kind.UNKNOWN

    def _unpacked(self, bound: Binding) -> Kind:
        assert bound.value is not None
        if isinstance(bound.value, ast.Tuple) and isinstance(bound.statement, ast.Assign):
            path = next((path for path in map(_finder(bound.target), bound.statement.targets) if path), [])
            if len(path) == 1 and path[0] < len(bound.value.elts):
                return self.kind(bound.value.elts[path[0]])
        of = self.kind(bound.value)
        if of in (Kind.TENSORS, Kind.BATCH):
            return Kind.TENSOR
        return of if of in (Kind.TENSOR, Kind.OUTPUT, Kind.ARRAY, Kind.NUMBER) else Kind.UNKNOWN

    def _of_argument(self, bound: Binding) -> Kind:
        scope = self._scope_of(bound.target)
        function, owner = scope.node, scope.owner
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)) and owner is not None and bound.name != "self":
            if function.name.endswith("_step") and bound.name == "batch":
                return Kind.BATCH
            if function.name == "forward" and owner.name in self._modules and bound.value is None:
                return Kind.TENSOR if bound.annotation is None else Kind.UNKNOWN
        plain = isinstance(bound.value, ast.Constant) and bound.value.value is not None
        return Kind.NUMBER if plain else self._by_habit(bound.name)

    def _of_element(self, bound: Binding) -> Kind:
        assert bound.value is not None
        find = _finder(bound.target)
        for target in _targets(bound.statement):
            path = find(target)
            if path is not None:
                return self._element(bound.value, path)
        return Kind.UNKNOWN

    def _element(self, iterable: ast.expr, path: list[int]) -> Kind:
        """What iterating gives; `path` leads into the tuple that each turn unpacks."""
        if isinstance(iterable, ast.Call):
            known = self._element_of_call(iterable, path)
            if known is not None:
                return known
        of = self.kind(iterable)
        if of is Kind.LOADER:
            return Kind.TENSOR if path else Kind.BATCH
        return Kind.TENSOR if of in _HOLD_TENSORS else Kind.UNKNOWN

    def _element_of_call(self, call: ast.Call, path: list[int]) -> Kind | None:
        """What iterating a call gives, where its name says it; None where its kind has to."""
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
        by_name = self._of_called_name(name)
        if by_name is not Kind.UNKNOWN:
            return by_name
        if isinstance(node.func, ast.Attribute):
            by_method = self._of_method(node.func)
            if by_method is not Kind.UNKNOWN:
                return by_method
        return Kind.OUTPUT if self.kind(node.func) is Kind.MODULE else Kind.UNKNOWN

    def _of_called_name(self, name: str) -> Kind:
        head, _, last = name.rpartition(".")
        if head in ("torch", "torch.nn.functional"):
            plain = last in _NO_TENSOR or last.startswith(_NO_TENSOR_PREFIXES)
            return Kind.UNKNOWN if plain else Kind.TENSOR
        if name in self._modules or (name.startswith("torch.nn.") and last[:1].isupper()):
            return Kind.MODULE
        if last.endswith("Optimizer") and head:
            return Kind.OPTIMIZER
        if name in _NUMBER_CALLS:
            return Kind.NUMBER
        return next((kind for start, kind in _LIBRARIES if name.startswith(start)), _made_by_class(last))

    def _of_method(self, func: ast.Attribute) -> Kind:
        name, of = func.attr, self.kind(func.value)
        if name in _METHODS:
            return _METHODS[name]
        if name in _PLAIN_METHODS:
            return Kind.UNKNOWN if of is Kind.UNKNOWN else Kind.NUMBER
        if of in _STAY_THEMSELVES or (of in (Kind.MODULE, Kind.BATCH, Kind.LOADER) and name in _MOVES):
            return Kind.TENSORS if of is Kind.TENSOR and name in ("split", "chunk", "unbind") else of
        if name in _ONLY_TENSORS_HAVE or (of is Kind.BATCH and name in _OF_BATCHES):
            return Kind.TENSOR
        return Kind.OUTPUT if of is Kind.MODULE and name in _COMPUTES else Kind.UNKNOWN


def _made_by_class(last: str) -> Kind:
    return Kind.LOADER if last.endswith("DataLoader") else Kind.UNKNOWN


def _of_constant(node: ast.Constant) -> Kind:
    return Kind.UNKNOWN if node.value is None else Kind.NUMBER


def _of_text(_node: ast.JoinedStr) -> Kind:
    return Kind.NUMBER


_ANNOTATIONS = (
    ("Tensor", Kind.TENSOR),
    ("DataLoader", Kind.LOADER),
    ("Optimizer", Kind.OPTIMIZER),
    ("Module", Kind.MODULE),
    ("ndarray", Kind.ARRAY),
    ("DataFrame", Kind.FRAME),
    ("Series", Kind.FRAME),
)


def _annotated(annotation: ast.expr) -> Kind:
    if isinstance(annotation, ast.BinOp):  # Tensor | None
        sides = (_annotated(annotation.left), _annotated(annotation.right))
        return next((kind for kind in sides if kind is not Kind.UNKNOWN), Kind.UNKNOWN)
    if isinstance(annotation, ast.Subscript):
        inner = _annotated(annotation.slice)
        if dotted(annotation.value).rpartition(".")[2] == "Optional":
            return inner
        return Kind.TENSORS if inner is Kind.TENSOR else _annotated(annotation.value)
    quoted = annotation.value if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str) else ""
    last = (quoted or dotted(annotation)).rpartition(".")[2]
    if last in ("int", "float", "bool", "str"):
        return Kind.NUMBER
    return next((kind for ending, kind in _ANNOTATIONS if last.endswith(ending)), Kind.UNKNOWN)


def _targets(statement: ast.AST) -> Iterator[ast.expr]:
    if isinstance(statement, (ast.For, ast.AsyncFor)):
        yield statement.target
    elif isinstance(statement, (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)):
        for generator in statement.generators:
            yield generator.target


def _finder(wanted: ast.AST) -> Callable[[ast.expr], list[int] | None]:
    """A function that gives the positions that lead from a target to `wanted`, or None."""

    def find(target: ast.expr) -> list[int] | None:
        if target is wanted:
            return []
        if isinstance(target, ast.Starred):
            return find(target.value)
        if isinstance(target, (ast.Tuple, ast.List)):
            for position, element in enumerate(target.elts):
                below = find(element)
                if below is not None:
                    return [position, *below]
        return None

    return find
