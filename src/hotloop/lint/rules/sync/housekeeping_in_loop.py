"""SY08: memory housekeeping or a full synchronization in hot code."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations

_DEVICES = ("torch.cuda", "torch.mps", "torch.xpu", "torch.accelerator")


class HousekeepingInLoop(Rule[ast.Call]):
    code = "SY08"
    doc = RuleDoc(
        title="cache emptied, device synchronized or garbage collected in every step",
        why="`empty_cache()` gives memory back that the next step asks for again, with a synchronization each way; "
        "`synchronize()` waits until the queue is empty; `gc.collect()` visits every Python object.",
        cure="Remove it from the loop, or do it once an epoch.",
        at_runtime="`hotloop diagnose` replaces these functions during a few steps, under whatever name a module "
        "imported them, and tells what runs in at least eight of ten steps, with the time that it takes. For an "
        "emptied cache of a GPU no Amdahl limit is told: what the next step then waits for is not in the call.",
        not_reported="Calls under `if step % n == 0` and outside the batch loop are not reported.",
    )
    calls = frozenset({"empty_cache", "synchronize", "collect"})
    hot_only = True

    def check(self, node: ast.Call, file: SourceFile) -> Violations:
        name = file.name_of(node.func)
        if name == "gc.collect" or name.startswith(_DEVICES):
            yield Violation(node, f"`{name}()` runs {file.often(node)}")
