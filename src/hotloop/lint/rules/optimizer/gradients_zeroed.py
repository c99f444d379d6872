"""OP01: gradients set to zero in place of dropped."""

import ast
from collections.abc import Iterable

from hotloop.lint.rule import Hit, Page
from hotloop.lint.source_model.arguments import argument, is_literal
from hotloop.lint.source_model.names import dotted
from hotloop.lint.source_model.source_file import SourceFile

_CAPTURES = ("CUDAGraph", "make_graphed_callables")


class GradientsZeroed:
    code = "OP01"
    page = Page(
        title="gradients set to zero in place of dropped",
        why="`zero_grad(set_to_none=False)` and `p.grad.zero_()` write zeros to every gradient, and backward then "
        "reads them to add to them. Dropped gradients are simply replaced.",
        cure="`optimizer.zero_grad()`: dropping is the default since torch 2.0. A parameter that gets no gradient in a "
        "step is then left alone, where zeros would still decay it.",
        dynamic="The pattern GradNotSetToNone of the profiler, and the memset kernels.",
        traps="A bare `zero_grad()` is right and is not reported. Neither is `set_to_none=False` in a file that "
        "captures CUDA graphs, which need gradients that stay in place.",
    )
    nodes: tuple[type[ast.AST], ...] = ()
    calls = frozenset({"zero_grad", "zero_"})
    hot_only = False

    def check(self, node: ast.AST, file: SourceFile) -> Iterable[Hit]:
        assert isinstance(node, ast.Call)
        if not isinstance(node.func, ast.Attribute):
            return
        if node.func.attr == "zero_grad":
            captured = file.calls(*_CAPTURES) or any(
                file.name_of(c.func) == "torch.cuda.graph" for c in file.calls("graph")
            )
            if is_literal(argument(node, "set_to_none", 0), False) and not captured:
                yield Hit(node, "gradients are filled with zeros in place of dropped")
        elif dotted(node.func.value).removesuffix(".data").endswith(".grad") and file.hot(node) is not None:
            yield Hit(node, "gradients are filled with zeros by hand, one parameter at a time")
