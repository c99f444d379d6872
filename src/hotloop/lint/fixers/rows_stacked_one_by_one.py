"""DA15: `torch.stack([x[i] for i in rows])` becomes `x[rows]`."""

import ast

import libcst as cst

from hotloop.lint.patches.concrete_source import ConcreteSource
from hotloop.lint.patches.edits import Edits, NotExact
from hotloop.lint.patches.fixer import Fixer
from hotloop.lint.rules.data.rows_stacked_one_by_one import stacked_rows
from hotloop.lint.source_model.expressions import last_name
from hotloop.lint.source_model.source_file import SourceFile

_WHOLE_NUMBERS = frozenset({"randperm", "randint", "argsort", "multinomial"})


class RowsByIndex(Fixer[ast.Call]):
    """Exact where the rows are a tensor of whole numbers or a range: both copy the same rows in the same order.

    No rows at all make an error of `stack` and an empty tensor of an index.
    """

    code = "DA15"
    node = ast.Call
    calls = frozenset({"stack"})

    def edits(self, node: ast.Call, source: ConcreteSource) -> Edits:
        found = stacked_rows(node, source.file)
        if found is None:
            raise NotExact("only `torch.stack([tensor[i] for i in rows])` is rewritten")
        tensor, rows = found
        _check_rows(rows, source.file)
        if source.has_comment(node):
            raise NotExact("a comment stands inside of it")
        text = f"{_text(tensor, source)}[{_text(rows, source)}]"
        return Edits(subject=node, replace={source.concrete(node, cst.Call): lambda _: cst.parse_expression(text)})


def _text(expression: ast.expr, source: ConcreteSource) -> str:
    return source.code(source.concrete(expression, cst.BaseExpression))


def _check_rows(rows: ast.expr, file: SourceFile) -> None:
    """Raise NotExact where they might be truth values, or a tuple, which index otherwise."""
    if isinstance(rows, ast.Subscript) and isinstance(rows.slice, ast.Slice):
        rows = rows.value
    made = file.assigned(rows) if isinstance(rows, ast.Name) else rows
    if not isinstance(made, ast.Call):
        raise NotExact("this file does not show what the rows are")
    if file.name_of(made.func) == "range" or file.name_of(made.func) == "builtins.range":
        return
    if not (file.name_of(made.func).startswith("torch.") and last_name(made.func) in _WHOLE_NUMBERS):
        raise NotExact("the rows are not seen to be a range or a tensor of whole numbers")
