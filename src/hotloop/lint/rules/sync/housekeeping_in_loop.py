"""SY08: memory housekeeping or a full synchronization in hot code."""

import ast
from collections.abc import Iterable

from hotloop.lint.rule import Hit, Page
from hotloop.lint.source_model.source_file import SourceFile

_DEVICES = ("torch.cuda", "torch.mps", "torch.xpu", "torch.accelerator")


class HousekeepingInLoop:
    code = "SY08"
    page = Page(
        title="cache emptied, device synchronized or garbage collected in every step",
        why="`empty_cache()` gives memory back that the next step asks for again, with a synchronization each way; "
        "`synchronize()` drains the queue; `gc.collect()` walks every Python object.",
        cure="Remove it from the loop, or do it once an epoch.",
        dynamic="`hotloop diagnose` stands in for these functions during a few steps, under whatever name a module "
        "imported them, and tells what runs in at least eight of ten steps, with the time that it takes. Emptying the "
        "cache of a GPU has no bound: what the next step then waits for is not in the call.",
        traps="Calls under `if step % n == 0` and outside the batch loop are not reported.",
    )
    nodes: tuple[type[ast.AST], ...] = ()
    calls = frozenset({"empty_cache", "synchronize", "collect"})
    hot_only = True

    def check(self, node: ast.AST, file: SourceFile) -> Iterable[Hit]:
        assert isinstance(node, ast.Call)
        name = file.name_of(node.func)
        hot = file.hot(node)
        if name == "gc.collect" or name.startswith(_DEVICES):
            yield Hit(node, f"`{name}()` runs {hot.often if hot else ''}")
