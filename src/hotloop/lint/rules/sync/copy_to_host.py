"""SY02: a tensor brought to the host in hot code."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.expressions import argument, is_literal
from hotloop.lint.source_model.kind import Kind

_NOT_TENSORS = (Kind.ARRAY, Kind.FRAME, Kind.NUMBER, Kind.MODULE)


class CopyToHost(Rule[ast.Call]):
    code = "SY02"
    doc = RuleDoc(
        title="a tensor copied to the host for every batch",
        why="`.cpu()`, `.numpy()`, `.tolist()`, `.to('cpu')` copy and wait for each batch; one per epoch would do.",
        cure="Keep what is needed on the device (sums, counts, a preallocated buffer) and copy once after the loop. "
        "On a CPU-only run these calls are nearly free and the cure can be slower: measure it.",
        at_runtime="`.cpu()`, `.numpy()`, `.tolist()` and `_to_copy` to the CPU, seen by modes of `hotloop diagnose`.",
        not_reported="Modules, copies after the loop or every n steps, and `.tolist()` of NumPy are not reported.",
    )
    calls = frozenset({"cpu", "numpy", "tolist", "to"})
    hot_only = True

    def check(self, node: ast.Call, file: SourceFile) -> Violations:
        if not isinstance(node.func, ast.Attribute):
            return
        copies = is_literal(argument(node, "device", 0), "cpu") if node.func.attr == "to" else not node.args
        kind, above = file.kind(node.func.value), file.parent(node)
        if not copies or kind in _NOT_TENSORS:
            return
        followed_by = (
            above.attr if isinstance(above, ast.Attribute) and isinstance(file.parent(above), ast.Call) else ""
        )
        if followed_by in ("numpy", "tolist"):
            return  # `.cpu().numpy()` is one copy, reported once
        if node.func.attr == "tolist" and kind is Kind.UNKNOWN:
            return  # sets, arrays and frames have it too
        yield Violation(node, f"`.{node.func.attr}()` brings a tensor to the host {file.often(node)}")
