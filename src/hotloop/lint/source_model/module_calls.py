"""Which calls and methods run a module: `model(x)` but not `build_model(x)`, `generate()` but not `estimate_mfu()`."""

import ast
import re

from hotloop.lint.source_model.definitions import inherited_method
from hotloop.lint.source_model.expressions import dotted, values_given, words
from hotloop.lint.source_model.kind import Kind
from hotloop.lint.source_model.library_kinds import method_kind
from hotloop.lint.source_model.source_file import SourceFile

# Methods of torch.nn.Module that compute nothing in a step.
HOUSEKEEPING = words(
    "to cpu cuda xpu train eval half float double bfloat16 type apply parameters named_parameters buffers "
    "named_buffers modules named_modules children named_children state_dict load_state_dict zero_grad requires_grad_ "
    "register_buffer register_parameter register_forward_hook register_forward_pre_hook register_full_backward_hook "
    "register_full_backward_pre_hook register_load_state_dict_post_hook register_state_dict_pre_hook add_module "
    "register_module get_submodule get_parameter get_buffer set_submodule share_memory to_empty extra_repr compile "
    "save_pretrained push_to_hub set_requires_gradient_sync no_sync unscale_ reset_parameters get_extra_state "
    "set_extra_state num_parameters gradient_checkpointing_enable"
)
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


def method_runs_module(owner: ast.ClassDef, name: str, file: SourceFile) -> bool:
    """Whether a method of a module computes with tensors or calls a submodule, itself or through other methods.

    False where all that it does is seen to be arithmetic with numbers, such as the sizes of parameters.
    """
    pending = [name]
    for current in pending:  # grows by the methods that are called
        function = inherited_method(owner, current, file)
        if function is None:
            return True  # a submodule, or a method of a base in another file
        for part in file.within(function, ast.BinOp):
            # A parameter has the kind of a module: `self.weight = nn.Parameter(...)`.
            kinds = {file.kind(part.left), file.kind(part.right)}
            if isinstance(part.op, ast.MatMult) or kinds & {Kind.TENSOR, Kind.OUTPUT, Kind.MODULE}:
                return True
        for call in file.within(function, ast.Call):
            if _may_run(call, file):
                return True
            of, _, called = dotted(call.func).rpartition(".")
            if of == "self" and called not in {*pending, *HOUSEKEEPING}:
                pending.append(called)
    return False


def _may_run(call: ast.Call, file: SourceFile) -> bool:
    """Whether a call may run a part of the module of `self`; calls of its own methods are judged by these."""
    func = call.func
    if file.is_tensor(call) or any(dotted(given) == "self" for given in values_given(call)):
        return True
    if isinstance(func, ast.Name):
        binding = file.binding(func)
        return binding is not None and binding.how not in ("definition", "import")
    if not isinstance(func, ast.Attribute):
        return True  # self.layers[0](x)
    if func.attr in HOUSEKEEPING or method_kind(func.attr, Kind.TENSOR) is Kind.NUMBER:
        return False
    return func.attr == "forward" or _is_module(func.value, file)


def _is_module(receiver: ast.expr, file: SourceFile) -> bool:
    """Whether an expression is a module, or a part of an attribute that is one: `self.transformer.wte`."""
    part = receiver
    while isinstance(part, (ast.Attribute, ast.Subscript)):
        if file.kind(part) is Kind.MODULE:
            return True
        part = part.value
    binding = file.binding(part)
    if binding is not None and binding.value is not None:  # for block in self.blocks: block.attention(x)
        return any(file.kind(inner) is Kind.MODULE for inner in file.within(binding.value, ast.Name, ast.Attribute))
    return file.kind(part) is Kind.MODULE or (isinstance(part, ast.Call) and dotted(part.func) == "super")
