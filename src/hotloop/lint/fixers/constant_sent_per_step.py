"""SY10: `torch.tensor(0.0, device=device)` in hot code becomes `torch.full((), 0.0, device=device)`."""

import ast

import libcst as cst

from hotloop.lint.patches.concrete_source import ConcreteSource
from hotloop.lint.patches.edits import Edits, NotExact
from hotloop.lint.patches.fixer import Fixer
from hotloop.lint.source_model.expressions import is_number_literal


class FillOnDevice(Fixer[ast.Call]):
    """Exact: both make the same scalar of the same dtype; `full` writes it on the device, without a copy."""

    code = "SY10"
    node = ast.Call
    calls = frozenset({"tensor"})

    def edits(self, node: ast.Call, source: ConcreteSource) -> Edits:
        if source.file.name_of(node.func) != "torch.tensor" or not isinstance(node.func, ast.Attribute):
            raise NotExact("only `torch.tensor(number, device=...)` is rewritten")
        if len(node.args) != 1 or not is_number_literal(node.args[0]):
            raise NotExact("it is not a single number that is written there")
        if {word.arg for word in node.keywords} - {"device", "requires_grad"} or not node.keywords:
            raise NotExact("it has other arguments than `device`")
        return Edits(subject=node, replace={source.concrete(node, cst.Call): _filled})


def _filled(updated: cst.Call) -> cst.Call:
    func = cst.ensure_type(updated.func, cst.Attribute).with_changes(attr=cst.Name("full"))
    shape = cst.Arg(cst.Tuple([]), comma=cst.Comma(whitespace_after=cst.SimpleWhitespace(" ")))
    return updated.with_changes(func=func, args=[shape, *updated.args])
