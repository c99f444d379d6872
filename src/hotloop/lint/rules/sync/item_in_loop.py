"""SY01: a Python number read from a tensor in hot code."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.host_reads import CASTS, is_cast
from hotloop.lint.source_model.kind import Kind

_READS = ("torch.equal", "torch.allclose", "torch.is_nonzero")


class ItemInLoop(Rule[ast.Call]):
    code = "SY01"
    doc = RuleDoc(
        title="a number read from a tensor in every step",
        why="`.item()`, `float(t)`, `int(t)` and `bool(t)` wait until the device has finished all work before them, "
        "and nothing new is queued meanwhile. Under `torch.compile` they break the graph.",
        cure="Add up on the device (`total += loss.detach()`) and read once after the loop, all by one `.tolist()`.",
        at_runtime="Scalar reads (`_local_scalar_dense`) counted for each line by `hotloop diagnose`.",
        not_reported="Reads after the batch loop, under `if step % n == 0`, or on a branch that raises or leaves the "
        "loop are not reported. `float(x)` is reported only where `x` is seen to be a tensor.",
    )
    calls = frozenset({"item", "equal", "allclose", "is_nonzero", *CASTS})
    hot_only = True

    def check(self, node: ast.Call, file: SourceFile) -> Violations:
        often = file.often(node)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "item":
            if not node.args and not node.keywords and file.kind(node.func.value) not in (Kind.ARRAY, Kind.FRAME):
                yield Violation(node, f"`.item()` waits for the device {often}")
        elif isinstance(node.func, ast.Name) and node.func.id in CASTS:
            if is_cast(node, file):
                yield Violation(node, f"`{node.func.id}()` of a tensor waits for the device {often}")
        elif file.name_of(node.func) in _READS:
            what = file.name_of(node.func)
            yield Violation(node, f"`{what}` gives a Python bool, so it waits for the device {often}")
