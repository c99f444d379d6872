"""Kind: what an expression is, as far as the source tells; and the kind that an annotation names."""

import ast
from enum import StrEnum

from hotloop.lint.source_model.expressions import dotted


class Kind(StrEnum):
    """The types that rules reason with. Rules stay silent on UNKNOWN."""

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


_BY_ENDING = {
    Kind.TENSOR: "Tensor",
    Kind.LOADER: "DataLoader",
    Kind.OPTIMIZER: "Optimizer",
    Kind.MODULE: "Module",
    Kind.ARRAY: "ndarray",
    Kind.FRAME: ("DataFrame", "Series"),
}


def annotated_kind(annotation: ast.expr) -> Kind:
    """The kind of what is annotated so; UNKNOWN for all other types."""
    if isinstance(annotation, ast.BinOp):  # Tensor | None
        sides = (annotated_kind(annotation.left), annotated_kind(annotation.right))
        return next((kind for kind in sides if kind is not Kind.UNKNOWN), Kind.UNKNOWN)
    if isinstance(annotation, ast.Subscript):
        inner = annotated_kind(annotation.slice)
        if dotted(annotation.value).rpartition(".")[2] == "Optional":
            return inner
        return Kind.TENSORS if inner is Kind.TENSOR else annotated_kind(annotation.value)
    quoted = annotation.value if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str) else ""
    last = (quoted or dotted(annotation)).rpartition(".")[2]
    if last in ("int", "float", "bool", "str"):
        return Kind.NUMBER
    return next((kind for kind, endings in _BY_ENDING.items() if last.endswith(endings)), Kind.UNKNOWN)
