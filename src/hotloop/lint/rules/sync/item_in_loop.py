"""SY01: a Python number read from a tensor in hot code."""

import ast
from collections.abc import Iterable

from hotloop.lint.rule import Hit, Page
from hotloop.lint.source_model.kind_inference import Kind
from hotloop.lint.source_model.source_file import SourceFile

_CASTS = ("float", "int", "bool")
_READS = ("torch.equal", "torch.allclose", "torch.is_nonzero")


class ItemInLoop:
    code = "SY01"
    page = Page(
        title="a number read from a tensor in every step",
        why="`.item()`, `float(t)`, `int(t)` and `bool(t)` wait until the device has finished all work before them, "
        "and nothing new is queued meanwhile. Under `torch.compile` they break the graph.",
        cure="Add up on the device (`total += loss.detach()`) and read once after the loop, with one `.tolist()` for "
        "all figures.",
        dynamic="Scalar reads (`_local_scalar_dense`) counted for each line by `hotloop diagnose`.",
        traps="Reads after the batch loop, under `if step % n == 0`, or on a branch that raises or leaves the loop are "
        "not reported. `float(x)` is reported only where `x` is seen to be a tensor.",
    )
    nodes: tuple[type[ast.AST], ...] = ()
    calls = frozenset({"item", "equal", "allclose", "is_nonzero", *_CASTS})
    hot_only = True

    def check(self, node: ast.AST, file: SourceFile) -> Iterable[Hit]:
        assert isinstance(node, ast.Call)
        hot = file.hot(node)
        often = hot.often if hot else ""
        if isinstance(node.func, ast.Attribute) and node.func.attr == "item":
            if not node.args and not node.keywords and file.kind(node.func.value) not in (Kind.ARRAY, Kind.FRAME):
                yield Hit(node, f"`.item()` waits for the device {often}")
        elif isinstance(node.func, ast.Name) and node.func.id in _CASTS:
            if len(node.args) == 1 and file.is_tensor(node.args[0]):
                yield Hit(node, f"`{node.func.id}()` of a tensor waits for the device {often}")
        elif file.name_of(node.func) in _READS:
            yield Hit(node, f"`{file.name_of(node.func)}` gives a Python bool, so it waits for the device {often}")
