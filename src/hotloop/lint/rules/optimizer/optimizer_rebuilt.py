"""OP07: an optimizer created again in the middle of training."""

import ast
from collections.abc import Iterator

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.expressions import dotted, words
from hotloop.lint.source_model.position import Loop

_FRESH_START = frozenset({"load_state_dict", "reset_parameters", "deepcopy", "apply"})


class OptimizerRebuilt(Rule[ast.Call]):
    code = "OP07"
    doc = RuleDoc(
        title="an optimizer created again in the middle of training",
        why="The new optimizer starts with empty state: momentum and second moments are lost, and Adam takes its "
        "first, largest steps again. Made before the parameters it should hold exist, it trains nothing.",
        cure="Make it once. New parameters: `optimizer.add_param_group(...)`; new rate: a scheduler, `group['lr']`.",
        at_runtime="The identity and the size of the state of the optimizer from step to step, in `hotloop diagnose`.",
        not_reported="A loop that also makes or resets the model (folds, seeds, sweeps) trains anew: not reported.",
    )
    calls = words(
        "ASGD Adadelta Adafactor Adagrad Adam AdamW Adamax LBFGS Muon NAdam RAdam RMSprop Rprop SGD SparseAdam"
    )

    def check(self, node: ast.Call, file: SourceFile) -> Violations:
        if not file.name_of(node.func).startswith("torch.optim.") or not node.args:
            return
        for loop in file.position(node).loops:
            if isinstance(loop.node, (ast.For, ast.While)) and _trains_on(loop, node, file):
                yield Violation(node, "the optimizer is created again while training goes on: its state is lost")
                return


def _trains_on(loop: Loop, node: ast.Call, file: SourceFile) -> bool:
    """Whether the loop holds training steps of a model that outlives one pass of it."""
    if not any(file.holds(loop.node, call) for call in file.calls("backward")):
        return False
    names = set(_sources(node.args[0], file))
    called = {dotted(call.func).rpartition(".")[2] for call in file.within(loop.node, ast.Call)}
    if not names or called & _FRESH_START:
        return False
    return not any(
        binding.name in names and (binding.statement is loop.node or file.holds(loop.node, binding.statement))
        for binding in file.all_bindings()
    )


def _sources(given: ast.expr, file: SourceFile) -> Iterator[str]:
    """The names that parameters come from: "model" for model.parameters(), "self.model" for self.model.parameters()."""
    inside = {part.arg for part in file.within(given, ast.arg)}
    for part in file.within(given, ast.Name):
        if part.id not in (*inside, "filter", "list", "itertools", "chain", "dict"):
            above = file.parent(part)
            yield f"self.{above.attr}" if part.id == "self" and isinstance(above, ast.Attribute) else part.id
