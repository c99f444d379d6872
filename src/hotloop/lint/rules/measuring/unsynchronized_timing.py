"""ME08: device work timed without waiting for the device."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.expressions import last_name
from hotloop.lint.source_model.module_calls import calls_module

_CLOCKS = frozenset(f"time.{name}{unit}" for name in ("time", "perf_counter", "monotonic") for unit in ("", "_ns"))
_WAITS = frozenset({"item", "tolist", "cpu", "numpy", "elapsed_time"})


class UnsynchronizedTiming(Rule[ast.BinOp]):
    code = "ME08"
    doc = RuleDoc(
        title="device work timed without waiting for the device",
        why="CUDA calls return when work is queued: a clock read then may show a hundredth of the time it takes.",
        cure="Warm up, `torch.cuda.synchronize()` before each clock (or events), repeat interleaved with a baseline, "
        "report the spread. `hotloop tune` measures in this way.",
        at_runtime="Wall time against device time, in `hotloop diagnose` on a GPU.",
        not_reported="Timed sections that read a result (`.item()`, `.cpu()`), functions that synchronize, sections "
        "without a model, and files that never mention CUDA are not reported.",
    )
    nodes = (ast.BinOp,)

    def check(self, node: ast.BinOp, file: SourceFile) -> Violations:
        if not isinstance(node.op, ast.Sub):
            return
        started, ended = _clock(node.right, file), _clock(node.left, file)
        if started is None or ended is None or file.order(started) >= file.order(ended):
            return
        texts = [part.value for part in file.all(ast.Constant) if isinstance(part.value, str)]
        on_cuda = file.calls("cuda") or any(text.split(":")[0] == "cuda" for text in texts)
        if file.position(started).scope is not file.position(ended).scope or not on_cuda:
            return
        timed = [part for part in file.between(started, ended) if isinstance(part, ast.Call)]
        called = {last_name(call.func) for call in timed}
        casts = [call for call in timed if last_name(call.func) == "float"]
        waits = called & _WAITS or any(file.is_tensor(given) for call in casts for given in call.args)
        runs_model = "backward" in called or any(calls_module(call, file) for call in timed)
        around = file.position(node).scope.function or file.tree
        synchronizes = any("sync" in name.lower() for name in file.attributes_in(around) | file.names_in(around))
        if runs_model and not waits and not synchronizes:
            yield Violation(node, "the clock is read while the device may still be at work")


def _clock(node: ast.expr, file: SourceFile) -> ast.Call | None:
    if isinstance(node, ast.Name):
        binding = file.binding(node)
        return _clock(binding.value, file) if binding is not None and isinstance(binding.value, ast.Call) else None
    return node if isinstance(node, ast.Call) and file.name_of(node.func) in _CLOCKS else None
