"""SY02: a tensor brought to the host in hot code."""

import ast
from collections.abc import Iterable

from hotloop.lint.rule import Hit, Page
from hotloop.lint.source_model.kind_inference import Kind
from hotloop.lint.source_model.source_file import SourceFile

_NOT_TENSORS = (Kind.ARRAY, Kind.FRAME, Kind.NUMBER, Kind.MODULE)


class CopyToHost:
    code = "SY02"
    page = Page(
        title="a tensor copied to the host for every batch",
        why="`.cpu()`, `.numpy()`, `.tolist()` and `.to('cpu')` copy and wait: one transfer for each batch where one "
        "for the epoch would do.",
        cure="Keep what is needed on the device (sums, counts, a preallocated buffer) and copy once after the loop. "
        "On a CPU-only run these calls are nearly free and the cure can be slower: measure it.",
        dynamic="`.cpu()`, `.numpy()` and `.tolist()` seen by the function mode, `_to_copy` to the CPU by the dispatch "
        "mode, in `hotloop diagnose`.",
        traps="Moving a module, copies after the loop or every n steps, and `.tolist()` of a NumPy array are not "
        "reported.",
    )
    nodes: tuple[type[ast.AST], ...] = ()
    calls = frozenset({"cpu", "numpy", "tolist", "to"})
    hot_only = True

    def check(self, node: ast.AST, file: SourceFile) -> Iterable[Hit]:
        assert isinstance(node, ast.Call)
        if not isinstance(node.func, ast.Attribute) or not self._brings_home(node, node.func.attr):
            return
        if file.kind(node.func.value) in _NOT_TENSORS or _is_chained(node, file):
            return
        if node.func.attr == "tolist" and file.kind(node.func.value) is Kind.UNKNOWN:
            return  # sets, arrays and frames have it too
        hot = file.hot(node)
        yield Hit(node, f"`.{node.func.attr}()` brings a tensor to the host {hot.often if hot else ''}")

    def _brings_home(self, node: ast.Call, name: str) -> bool:
        if name != "to":
            return not node.args
        places = [*node.args[:1], *(word.value for word in node.keywords if word.arg == "device")]
        return any(isinstance(place, ast.Constant) and place.value == "cpu" for place in places)


def _is_chained(node: ast.Call, file: SourceFile) -> bool:
    """Whether `.cpu()` is followed by `.numpy()` or `.tolist()`: one copy, reported once."""
    above = file.parent(node)
    if not isinstance(above, ast.Attribute) or above.attr not in ("numpy", "tolist"):
        return False
    return isinstance(file.parent(above), ast.Call)
