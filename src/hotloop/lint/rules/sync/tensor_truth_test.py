"""SY03: the truth of a tensor tested in hot code."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.host_reads import tested_tensors


class TensorTruthTest(Rule[ast.If | ast.While | ast.Assert | ast.IfExp]):
    code = "SY03"
    doc = RuleDoc(
        title="an `if`, `while` or `assert` on a tensor",
        why="Python must know the value to go on: the host waits, and under `torch.compile` the graph breaks there.",
        cure="Compute both ways and choose with `torch.where`, or apply `nan_to_num` always; to count bad values, "
        "add `(~torch.isfinite(x)).sum()` to a counter on the device and read it once in a while.",
        at_runtime="Scalar reads and graph breaks with this line, in `hotloop diagnose`.",
        not_reported="Tests of shapes, of `is None`, and of NumPy arrays are not reported; nor are tests in "
        "`__getitem__` and collate functions, whose tensors are on the host.",
    )
    nodes = (ast.If, ast.While, ast.Assert, ast.IfExp)
    # Not `hot_only`: the test of a `while` stands in the loop, the `while` itself around it.

    def check(self, node: ast.If | ast.While | ast.Assert | ast.IfExp, file: SourceFile) -> Violations:
        hot = file.hot(node.test)
        if hot is None or hot.loads_data:
            return
        for part in tested_tensors(node.test, file):
            yield Violation(part, f"tests the truth of a tensor {hot.often}: the host waits for the device")
