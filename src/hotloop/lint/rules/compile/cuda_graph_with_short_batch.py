"""CO09: CUDA graphs asked for while the batch size changes."""

import ast
from collections.abc import Iterable

from hotloop.lint.rule import Hit, Page
from hotloop.lint.source_model.compile_calls import compile_calls
from hotloop.lint.source_model.names import dotted
from hotloop.lint.source_model.source_file import SourceFile

_MODES = ("reduce-overhead", "max-autotune")
_EVALUATION = ("val", "valid", "test", "eval", "dev")


class CudaGraphWithShortBatch:
    code = "CO09"
    page = Page(
        title="`reduce-overhead` with a last batch of another size",
        why="These modes record CUDA graphs, one for each shape; the short last batch of every epoch is recorded or "
        "skipped, and memory is held for each recording.",
        cure="Give the training loader `drop_last=True` (or pad), or use the default mode or `max-autotune-no-"
        "cudagraphs`.",
        dynamic="Skipped CUDA graphs in the Dynamo counters; only on a GPU.",
        traps="Loaders that are named for validation or test, that say `drop_last`, or that yield whole batches "
        "(`batch_size=None`, a batch sampler) are not looked at.",
    )
    nodes = (ast.Module,)
    calls: frozenset[str] = frozenset()
    hot_only = False

    def check(self, node: ast.AST, file: SourceFile) -> Iterable[Hit]:
        if not any(_may_be_short(call, file) for call in file.calls("DataLoader")):
            return
        for call in compile_calls(file):
            mode = next((word.value for word in call.keywords if word.arg == "mode"), None)
            if isinstance(mode, ast.Constant) and mode.value in _MODES:
                yield Hit(call, f'mode="{mode.value}" records CUDA graphs, but the last batch has another size')


def _may_be_short(call: ast.Call, file: SourceFile) -> bool:
    named = {word.arg: word.value for word in call.keywords}
    if None in named or {"drop_last", "batch_sampler"} & named.keys():
        drops = named.get("drop_last")
        return isinstance(drops, ast.Constant) and drops.value is False
    size = named.get("batch_size", call.args[1] if len(call.args) > 1 else None)
    if size is None or (isinstance(size, ast.Constant) and size.value in (None, 1)):
        return False
    statement = file.statement(call)
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    parts = {part for target in targets for part in dotted(target).lower().replace(".", "_").split("_")}
    return not parts.intersection(_EVALUATION)
