"""CO09: CUDA graphs asked for while the batch size changes."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.compile_calls import compile_calls
from hotloop.lint.source_model.expressions import argument, is_literal

_MODES = ("reduce-overhead", "max-autotune")
_EVALUATION = ("val", "valid", "test", "eval", "dev")


class CudaGraphWithShortBatch(Rule[ast.Module]):
    code = "CO09"
    doc = RuleDoc(
        title="`reduce-overhead` with a last batch of another size",
        why="A CUDA graph, and memory for it, is held for each shape; a short last batch is recorded or skipped.",
        cure="Give the loader `drop_last=True` (or pad), or use the default mode or `max-autotune-no-cudagraphs`.",
        at_runtime="Skipped CUDA graphs in the Dynamo counters; only on a GPU.",
        not_reported="Loaders that are named for validation or test, that say `drop_last`, or that yield whole batches "
        "(`batch_size=None`, a batch sampler) are not looked at.",
    )
    nodes = (ast.Module,)

    def check(self, node: ast.Module, file: SourceFile) -> Violations:
        if not any(_may_be_short(call, file) for call in file.calls("DataLoader")):
            return
        for call in compile_calls(file):
            mode = argument(call, "mode")
            if isinstance(mode, ast.Constant) and mode.value in _MODES:
                yield Violation(call, f'mode="{mode.value}" records CUDA graphs, but the last batch has another size')


def _may_be_short(call: ast.Call, file: SourceFile) -> bool:
    if any(word.arg in ("drop_last", "batch_sampler", None) for word in call.keywords):
        return is_literal(argument(call, "drop_last"), False)
    size = argument(call, "batch_size", 1)
    if size is None or is_literal(size, None, 1):
        return False
    parts = {part for name in file.assigned_to(call) for part in name.lower().replace(".", "_").split("_")}
    return not parts.intersection(_EVALUATION)
