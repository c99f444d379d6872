"""DA07: workers that are started again for every epoch."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.expressions import argument, dotted, is_literal, unpacks


class WorkersPerEpoch(Rule[ast.Call]):
    code = "DA07"
    doc = RuleDoc(
        title="workers started again for every epoch",
        why="Without `persistent_workers` each `iter(loader)` starts new worker processes and drops what "
        "they had cached. With short epochs this start is a large part of the time.",
        cure="`persistent_workers=True` (where `num_workers` can be 0: `persistent_workers=num_workers > 0`). The "
        "second epoch then draws other random numbers: the loader no longer takes a seed from the global generator.",
        at_runtime="The time of `iter(loader)`, in `hotloop diagnose`.",
        not_reported="Loaders that are read once, have no workers or get `**settings` are not reported.",
        transform="data_loading",
    )
    calls = frozenset({"DataLoader"})

    def check(self, node: ast.Call, file: SourceFile) -> Violations:
        workers = argument(node, "num_workers", 5)
        if workers is None or unpacks(node) or file.number(workers) == 0:
            return
        kept = argument(node, "persistent_workers")
        if (kept is None or is_literal(kept, False)) and _is_read_again(node, file):
            yield Violation(node, "the worker processes are started again for every epoch")


def _is_read_again(node: ast.Call, file: SourceFile) -> bool:
    """Whether a loop in a loop reads the loader, or where nothing in this file does, whether it is one for training."""
    statement, scope = file.statement(node), file.position(node).scope
    name = dotted(statement.targets[0]) if isinstance(statement, ast.Assign) and statement.value is node else ""
    loops = file.all(ast.For, ast.AsyncFor)
    near = [loop for loop in loops if name.startswith("self.") or file.position(loop).scope is scope]
    near = [loop for loop in near if name and any(dotted(part) == name for part in file.within(loop.iter))]
    if near:
        return any(file.position(loop).loops for loop in near)
    function = scope.function
    is_for_training = "train" in name or (function is not None and "train" in function.name and not name)
    return is_for_training and not is_literal(argument(node, "shuffle", 2), False)
