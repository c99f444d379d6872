"""Which calls run a module: `model(x)`, but not `build_model(x)`."""

import ast
import re

from hotloop.lint.source_model.kind import Kind
from hotloop.lint.source_model.names import dotted
from hotloop.lint.source_model.source_file import SourceFile

_MAKES_OR_HANDLES = re.compile(
    r"^_?(get|build|make|create|load|prepare|init|initialize|wrap|unwrap|save|export|convert|compile|set|setup|freeze|"
    r"register|clone|copy|move|from|to|parse|check|print|log|push|find|choose|select|fetch|download|import)_",
    re.I,
)
_LOSS = re.compile(r"loss|criterion", re.I)


def calls_module(call: ast.Call, file: SourceFile) -> bool:
    """Whether a call runs a module on an argument; losses, and functions that make or handle modules, do not count."""
    name = dotted(call.func)
    if not call.args or _LOSS.search(name) or _MAKES_OR_HANDLES.search(name.rpartition(".")[2]):
        return False
    return file.kind(call.func) is Kind.MODULE
