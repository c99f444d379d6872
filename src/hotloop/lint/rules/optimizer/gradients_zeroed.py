"""OP01: gradients set to zero in place of dropped."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.compile_calls import captures_cuda_graph
from hotloop.lint.source_model.expressions import argument, dotted, is_literal


class GradientsZeroed(Rule[ast.Call]):
    code = "OP01"
    doc = RuleDoc(
        title="gradients set to zero in place of dropped",
        why="`zero_grad(set_to_none=False)` and `p.grad.zero_()` write zeros to every gradient, and backward then "
        "reads them to add to them. Dropped gradients are simply replaced.",
        cure="`optimizer.zero_grad()`: dropping is the default since torch 2.0. A parameter that gets no gradient in a "
        "step is then left alone, where zeros would still decay it.",
        at_runtime="The pattern GradNotSetToNone of the profiler, and the memset kernels.",
        not_reported="A bare `zero_grad()` is right and is not reported. Neither is `set_to_none=False` in a file that "
        "captures CUDA graphs, which need gradients that stay in place.",
    )
    calls = frozenset({"zero_grad", "zero_"})

    def check(self, node: ast.Call, file: SourceFile) -> Violations:
        if not isinstance(node.func, ast.Attribute):
            return
        if node.func.attr == "zero_grad":
            if is_literal(argument(node, "set_to_none", 0), False) and not captures_cuda_graph(file):
                yield Violation(node, "gradients are filled with zeros in place of dropped")
        elif dotted(node.func.value).removesuffix(".data").endswith(".grad") and file.hot(node) is not None:
            yield Violation(node, "gradients are filled with zeros by hand, one parameter at a time")
