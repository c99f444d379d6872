"""ME05: a device that is handled as a string."""

import ast
from collections.abc import Iterable

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.expressions import dotted, last_name
from hotloop.lint.source_model.node_types import FunctionDef

_TEXT = ("str", "str|None", "Optional[str]", "None|str", "typing.Optional[str]")
_DEVICES = ("cuda", "gpu", "mps", "xpu")
_PARSES = frozenset({"startswith", "split", "partition", "rpartition", "endswith", "find"})


class DeviceAsString(Rule[FunctionDef]):
    code = "ME05"
    doc = RuleDoc(
        title="a device handled as a string",
        why="`device == 'cuda'` is false for 'cuda:0'; 'cuda0' or 'gpu' fails late, when the first tensor is moved.",
        cure="`device = torch.device(device)` at the head of the function, then look at `device.type`.",
        at_runtime="A table of device strings, good and bad, in a test.",
        not_reported="A string that no tensor is moved by (a type of device), one that goes straight to "
        "`.to(device)`, and one that `torch.device()` or a function that checks devices sees, are not reported.",
    )
    nodes = (ast.FunctionDef, ast.AsyncFunctionDef)

    def check(self, node: FunctionDef, file: SourceFile) -> Violations:
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        types = [argument.annotation for argument in arguments if argument.arg == "device"]
        if not any(ast.unparse(given).strip("'\"").replace(" ", "") in _TEXT for given in types if given is not None):
            return
        reads, owner = file.uses(file.scope(node), "device"), file.position(node).scope.owner
        if _is_checked(node, file):
            return
        if _is_parsed(node, file) and _is_used(reads, file):
            yield Violation(node, "the device is taken apart as text, where 'cuda:1' and 'cuda' are not the same")
        elif _is_only_stored(reads, file):
            inside = file.within(owner, ast.Attribute) if owner is not None else []
            if _is_used((part for part in inside if dotted(part) == "self.device"), file):
                yield Violation(node, "the device is kept as text that nobody has checked")


def _is_checked(node: FunctionDef, file: SourceFile) -> bool:
    calls = file.within(node, ast.Call)
    about = [call for call in calls if any(dotted(given) == "device" for given in call.args)]
    if any("device" in last_name(call.func).lower() for call in about):
        return True
    return any(file.name_of(call.func) == "torch.device" for call in calls)


def _is_parsed(node: FunctionDef, file: SourceFile) -> bool:
    compared = [test for test in file.within(node, ast.Compare) if dotted(test.left) == "device"]
    limits = [limit for test in compared for other in test.comparators for limit in file.within(other, ast.Constant)]
    if any(isinstance(limit.value, str) and limit.value.startswith(_DEVICES) for limit in limits):
        return True
    return any(part.attr in _PARSES and dotted(part.value) == "device" for part in file.within(node, ast.Attribute))


def _is_used(reads: Iterable[ast.expr], file: SourceFile) -> bool:
    """Whether a tensor or module is made or moved with one of these reads, or the device is returned."""
    for read in reads:
        above = file.parent(read)
        if isinstance(above, ast.keyword) and above.arg == "device":
            return True
        if isinstance(above, ast.Call) and last_name(above.func) in ("to", "cuda"):
            return True
        if isinstance(above, (ast.Return, ast.Tuple)) and isinstance(file.statement(read), ast.Return):
            return True
    return False


def _is_only_stored(reads: list[ast.Name], file: SourceFile) -> bool:
    """Whether the only thing that is done to the string here is `self.device = device`."""
    return bool(reads) and all(
        isinstance(above := file.parent(read), ast.Assign) and dotted(above.targets[0]) == "self.device"
        for read in reads
    )
