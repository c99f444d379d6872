"""SY03: a tensor asked for its truth in hot code."""

import ast
from collections.abc import Iterable

from hotloop.lint.rule import Hit, Page
from hotloop.lint.source_model.host_reads import tested_tensors
from hotloop.lint.source_model.source_file import SourceFile


class TensorTruthTest:
    code = "SY03"
    page = Page(
        title="an `if`, `while` or `assert` on a tensor",
        why="Python must know the value before it can go on, so the host waits for the device; under `torch.compile` "
        "the graph breaks there.",
        cure="Compute both ways and choose with `torch.where`, or apply `nan_to_num` always; to watch for bad values, "
        "add `(~torch.isfinite(x)).sum()` to a counter on the device and read it once in a while.",
        dynamic="Scalar reads and graph breaks with this line, in `hotloop diagnose`.",
        traps="Tests of shapes, of `is None`, and of NumPy arrays are not reported; nor are tests in `__getitem__` and "
        "collate functions, whose tensors are on the host.",
    )
    nodes = (ast.If, ast.While, ast.Assert, ast.IfExp)
    calls: frozenset[str] = frozenset()
    hot_only = False  # the test of a `while` stands in the loop, the `while` itself around it

    def check(self, node: ast.AST, file: SourceFile) -> Iterable[Hit]:
        assert isinstance(node, (ast.If, ast.While, ast.Assert, ast.IfExp))
        hot = file.hot(node.test)
        if hot is None or hot.loads_data:
            return
        for part in tested_tensors(node.test, file):
            yield Hit(part, f"asks a tensor for its truth {hot.often}: the host waits for the device")
