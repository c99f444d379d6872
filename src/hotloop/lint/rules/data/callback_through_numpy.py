"""DA14: a tensor sent through NumPy because a callback takes arrays."""

import ast
from collections.abc import Iterator

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.expressions import dotted

_TO_TENSOR = frozenset({"torch.tensor", "torch.as_tensor", "torch.from_numpy", "torch.asarray"})


class CallbackThroughNumpy(Rule[ast.Call]):
    code = "DA14"
    doc = RuleDoc(
        title="a callback that goes through NumPy",
        why="The tensor is copied to the host, a callback computes on the array, and the result is copied back: two "
        "transfers and a wait in each call, which whoever wrote the callback does not see.",
        cure="Ask for a callback that takes tensors. Where it must take arrays, warn once, naming the callback.",
        at_runtime="`.numpy()` seen by a function mode, with the line of the caller, in `hotloop diagnose`.",
        not_reported="Plots, writers, NumPy itself and metrics of a library whose result stays on the host are not "
        "reported: only a callable that is a parameter, and whose result becomes a tensor again.",
    )
    calls = frozenset({"numpy"})

    def check(self, node: ast.Call, file: SourceFile) -> Violations:
        call = file.parent(node)
        if not isinstance(node.func, ast.Attribute) or not isinstance(call, ast.Call) or node not in call.args:
            return
        name = dotted(call.func)
        if not _is_parameter(call, name, file):
            return
        users = [file.parent(result) for result in _results(call, file)]
        if any(isinstance(user, ast.Call) and file.name_of(user.func) in _TO_TENSOR for user in users):
            yield Violation(call, f"`{name}` gets arrays, and its result becomes a tensor again")


def _is_parameter(call: ast.Call, name: str, file: SourceFile) -> bool:
    """Whether what is called is a parameter of a function around, or an attribute that was set from one."""
    if not name or "." in name.removeprefix("self."):
        return False
    binding = file.binding(call.func)
    if binding is not None and name.startswith("self.") and isinstance(binding.value, ast.Name):
        binding = file.binding(binding.value)
    return binding is not None and binding.how == "argument"


def _results(call: ast.Call, file: SourceFile) -> Iterator[ast.expr]:
    """The call, NumPy functions right around it, and later reads of the name that it is assigned to."""
    here: ast.expr = call
    above = file.parent(here)
    while isinstance(above, ast.Call) and file.name_of(above.func).startswith("numpy."):
        here, above = above, file.parent(above)
    yield here
    name = dotted(above.targets[0]) if isinstance(above, ast.Assign) else ""
    if name:
        yield from file.uses(file.position(call).scope, name)
