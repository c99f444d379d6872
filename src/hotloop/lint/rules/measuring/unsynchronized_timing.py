"""ME08: device work timed without waiting for the device."""

import ast
from collections.abc import Iterable

from hotloop.lint.rule import Hit, Page
from hotloop.lint.source_model.module_calls import runs_module
from hotloop.lint.source_model.names import last_name
from hotloop.lint.source_model.source_file import SourceFile

_CLOCKS = frozenset(f"time.{name}{unit}" for name in ("time", "perf_counter", "monotonic") for unit in ("", "_ns"))
_WAITS = frozenset({"item", "tolist", "cpu", "numpy", "elapsed_time", "float"})


class UnsynchronizedTiming:
    code = "ME08"
    page = Page(
        title="device work timed without waiting for the device",
        why="CUDA calls return when the work is queued. A clock read then tells how fast Python can queue, which can "
        "be a hundredth of the time that the work takes.",
        cure="Warm up, `torch.cuda.synchronize()` before each clock (or events), repeat in turns with a baseline, "
        "report the spread. `hotloop bench` does all of it.",
        dynamic="Wall time against device time, in `hotloop diagnose` on a GPU.",
        traps="Timed sections that read a result (`.item()`, `.cpu()`), functions that synchronize, sections without a "
        "model, and files that never mention CUDA are not reported.",
    )
    nodes: tuple[type[ast.AST], ...] = (ast.BinOp,)
    calls: frozenset[str] = frozenset()
    hot_only = False

    def check(self, node: ast.AST, file: SourceFile) -> Iterable[Hit]:
        assert isinstance(node, ast.BinOp)
        if not isinstance(node.op, ast.Sub):
            return
        started, ended = _clock(node.right, file), _clock(node.left, file)
        if started is None or ended is None or file.order(started) >= file.order(ended):
            return
        if file.place(started).scope is not file.place(ended).scope or not _mentions_cuda(file):
            return
        timed = file.walk.nodes[file.order(started) : file.order(ended)]
        if _runs_model(timed, file) and not _waits(timed, file) and not _synchronizes(node, file):
            yield Hit(node, "the clock is read while the device may still be at work")


def _clock(node: ast.expr, file: SourceFile) -> ast.Call | None:
    """The call of a clock that an expression is, or that the name was assigned from."""
    if isinstance(node, ast.Name):
        bound = file.binding(node)
        return _clock(bound.value, file) if bound is not None and isinstance(bound.value, ast.Call) else None
    return node if isinstance(node, ast.Call) and file.name_of(node.func) in _CLOCKS else None


def _mentions_cuda(file: SourceFile) -> bool:
    if file.calls("cuda"):
        return True
    texts = (part.value for part in file.all(ast.Constant))
    return any(isinstance(text, str) and text.split(":")[0] == "cuda" for text in texts)


def _runs_model(timed: list[ast.AST], file: SourceFile) -> bool:
    calls = [part for part in timed if isinstance(part, ast.Call)]
    return any(last_name(call.func) == "backward" or runs_module(call, file) for call in calls)


def _waits(timed: list[ast.AST], file: SourceFile) -> bool:
    calls = [part for part in timed if isinstance(part, ast.Call)]
    reads = [call for call in calls if last_name(call.func) in _WAITS]
    return any(last_name(call.func) != "float" or any(file.is_tensor(given) for given in call.args) for call in reads)


def _synchronizes(node: ast.AST, file: SourceFile) -> bool:
    scope = file.place(node).scope
    around = scope.function or file.tree
    names = (part.attr if isinstance(part, ast.Attribute) else part.id if isinstance(part, ast.Name) else ""
             for part in file.within(around))  # fmt: skip
    return any("sync" in name.lower() for name in names)
