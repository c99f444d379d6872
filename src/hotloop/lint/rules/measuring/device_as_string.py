"""ME05: a device that is handled as a string."""

import ast
from collections.abc import Iterable, Iterator

from hotloop.lint.rule import Hit, Page
from hotloop.lint.source_model.names import dotted, last_name
from hotloop.lint.source_model.source_file import SourceFile

_Def = ast.FunctionDef | ast.AsyncFunctionDef
_DEVICES = ("cuda", "gpu", "mps", "xpu")
_PARSES = frozenset({"startswith", "split", "partition", "rpartition", "endswith", "find"})


class DeviceAsString:
    code = "ME05"
    page = Page(
        title="a device handled as a string",
        why="`device == 'cuda'` is false for 'cuda:0', and 'cuda0' or 'gpu' is noticed only when the first tensor is "
        "moved, after the data has been loaded.",
        cure="`device = torch.device(device)` at the head of the function, then look at `device.type`.",
        dynamic="A table of device strings, good and bad, in a test.",
        traps="A string that no tensor is moved by (a type of device), one that goes straight to `.to(device)`, and "
        "one that `torch.device()` or a function that checks devices sees, are not reported.",
    )
    nodes: tuple[type[ast.AST], ...] = (ast.FunctionDef, ast.AsyncFunctionDef)
    calls: frozenset[str] = frozenset()
    hot_only = False

    def check(self, node: ast.AST, file: SourceFile) -> Iterable[Hit]:
        assert isinstance(node, _Def)
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        if not any(argument.arg == "device" and _is_text(argument.annotation) for argument in arguments):
            return
        if _is_checked(node, file):
            return
        if any(True for _ in _parsed(node, file)) and _is_used(file.scope(node).uses.get("device", []), file):
            yield Hit(node, "the device is taken apart as text, where 'cuda:1' and 'cuda' are not the same")
        elif _is_only_stored(node, file) and _is_used(_stored(node, file), file):
            yield Hit(node, "the device is kept as text that nobody has looked at")


def _is_text(annotation: ast.expr | None) -> bool:
    if annotation is None:
        return False
    text = ast.unparse(annotation).strip("'\"").replace(" ", "")
    return text in ("str", "str|None", "Optional[str]", "None|str", "typing.Optional[str]")


def _is_checked(node: _Def, file: SourceFile) -> bool:
    for part in file.within(node):
        if isinstance(part, ast.Call):
            name = file.name_of(part.func)
            if name == "torch.device":
                return True
            if "device" in last_name(part.func).lower() and any(dotted(given) == "device" for given in part.args):
                return True
    return False


def _parsed(node: _Def, file: SourceFile) -> Iterator[ast.AST]:
    for part in file.within(node):
        if isinstance(part, ast.Compare) and dotted(part.left) == "device":
            if any(_names_device(other) for other in part.comparators):
                yield part
        elif isinstance(part, ast.Attribute) and part.attr in _PARSES and dotted(part.value) == "device":
            yield part


def _names_device(node: ast.expr) -> bool:
    said = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
    return any(isinstance(text, str) and text.startswith(_DEVICES) for text in said)


def _is_used(reads: Iterable[ast.expr], file: SourceFile) -> bool:
    """Whether a tensor or module is made or moved with one of these reads, or the device is handed back."""
    for read in reads:
        above = file.parent(read)
        if isinstance(above, ast.keyword) and above.arg == "device":
            return True
        if isinstance(above, ast.Call) and last_name(above.func) in ("to", "cuda"):
            return True
        if isinstance(above, (ast.Return, ast.Tuple)) and isinstance(file.statement(read), ast.Return):
            return True
    return False


def _stored(node: _Def, file: SourceFile) -> list[ast.expr]:
    owner = file.place(node).scope.owner
    inside = file.within(owner) if owner is not None else []
    return [part for part in inside if isinstance(part, ast.Attribute) and dotted(part) == "self.device"]


def _is_only_stored(node: _Def, file: SourceFile) -> bool:
    """Whether the only thing that is done to the string here is `self.device = device`."""
    reads = file.uses(file.scope(node), "device")
    return bool(reads) and all(
        isinstance(above := file.parent(read), ast.Assign) and dotted(above.targets[0]) == "self.device"
        for read in reads
    )
