"""SY04: an operation whose result has a shape that depends on data, in hot code."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.expressions import argument, last_name, receiver, words
from hotloop.lint.source_model.kind import Kind

_BY_FUNCTION = frozenset({"nonzero", "argwhere", "unique", "unique_consecutive", "masked_select", "repeat_interleave"})
_GIVE_MASKS = words(
    "isnan isfinite isinf isneginf isposinf isin isclose eq ne gt ge lt le greater less greater_equal less_equal "
    "not_equal logical_and logical_or logical_not logical_xor bool"
)


class DataDependentShape(Rule[ast.Subscript | ast.Call]):
    code = "SY04"
    doc = RuleDoc(
        title="a shape that depends on data",
        why="Boolean masks, `nonzero`, `unique`, `masked_select` and `repeat_interleave` count before they allocate, "
        "so the host waits for the device; under `torch.compile` they break the graph or make shapes dynamic.",
        cure="Keep the shape: multiply by the mask and divide by its sum, use `torch.where`, `index_add_` or "
        "`scatter_reduce` over segments, `repeat_interleave(..., output_size=n)` or `nonzero_static(size=n)`.",
        at_runtime="`nonzero`, `_unique2`, `index.Tensor` with a boolean index and the like, in `hotloop diagnose`.",
        not_reported="`x[mask] = 0` (a fill keeps the shape), `repeat_interleave` with an integer or `output_size`, "
        "and `__getitem__` and collate functions are not reported. Masks that are arguments go by name.",
    )
    nodes = (ast.Subscript,)
    calls = _BY_FUNCTION | {"where"}
    hot_only = True

    def check(self, node: ast.Subscript | ast.Call, file: SourceFile) -> Violations:
        hot = file.hot(node)
        if hot is None or hot.loads_data:
            return
        if isinstance(node, ast.Subscript):
            if _selects(node, file) and is_mask(node.slice, file):
                yield Violation(node, f"indexes with a boolean mask {hot.often}: the size must be read first")
        elif _counts_first(node, file):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else file.name_of(node.func)
            yield Violation(node, f"`{name}` has a result whose size depends on data, {hot.often}")


def _selects(node: ast.Subscript, file: SourceFile) -> bool:
    if file.kind(node.value) in (Kind.ARRAY, Kind.FRAME, Kind.NUMBER):
        return False
    if isinstance(node.ctx, ast.Load):
        return True
    statement = file.statement(node)
    fills = isinstance(statement, (ast.Assign, ast.AugAssign)) and not file.is_tensor(statement.value)
    return isinstance(node.ctx, ast.Store) and not fills


def is_mask(index: ast.expr, file: SourceFile) -> bool:
    """Whether an index is a boolean tensor: a comparison, a combination of masks, or a name bound to one."""
    if isinstance(index, ast.Tuple):
        return any(is_mask(part, file) for part in index.elts)
    if isinstance(index, ast.Compare):
        return file.kind(index) is Kind.TENSOR
    if isinstance(index, ast.UnaryOp) and isinstance(index.op, ast.Invert):
        return is_mask(index.operand, file)
    if isinstance(index, ast.BinOp) and isinstance(index.op, (ast.BitAnd, ast.BitOr, ast.BitXor)):
        return is_mask(index.left, file) or is_mask(index.right, file)
    if isinstance(index, ast.Call):
        name = index.func.attr if isinstance(index.func, ast.Attribute) and file.is_tensor(index) else ""
        to_bool = name == "to" and any(file.name_of(given) == "torch.bool" for given in index.args)
        return name in _GIVE_MASKS or to_bool
    return isinstance(index, ast.Name) and _names_mask(index, file)


def _names_mask(name: ast.Name, file: SourceFile) -> bool:
    binding = file.binding(name)
    if binding is None or binding.how == "argument" or binding.value is None:
        return "mask" in name.id and (file.is_tensor(name) or binding is None or binding.how == "argument")
    return binding.how == "assign" and binding.order < file.order(name) and is_mask(binding.value, file)


def _counts_first(call: ast.Call, file: SourceFile) -> bool:
    is_function = file.name_of(call.func).startswith("torch.")
    of = receiver(call)
    if not is_function and (of is None or not file.is_tensor(of)):
        return False
    name = last_name(call.func) if not is_function else file.name_of(call.func).rpartition(".")[2]
    if name == "where":
        return is_function and len(call.args) == 1 and not call.keywords
    if name != "repeat_interleave":
        return name in _BY_FUNCTION
    repeats = argument(call, "repeats", 1 if is_function else 0)
    # Settings such as `self.num_groups` are numbers although nothing in the file says so.
    is_number = repeats is None or file.kind(repeats) in (Kind.NUMBER, Kind.UNKNOWN)
    return not is_number and argument(call, "output_size") is None
