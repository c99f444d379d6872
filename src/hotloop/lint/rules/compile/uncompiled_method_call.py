"""CO03: a compiled module used through another method than forward."""

import ast
from collections.abc import Iterable

from hotloop.lint.rule import Hit, Page
from hotloop.lint.source_model.compile_calls import class_of, definition, is_compile, subject
from hotloop.lint.source_model.names import words
from hotloop.lint.source_model.source_file import SourceFile

# Methods of torch.nn.Module that compute nothing in a step.
_HOUSEKEEPING = words(
    "forward to cpu cuda xpu train eval half float double bfloat16 type apply parameters named_parameters buffers "
    "named_buffers modules named_modules children named_children state_dict load_state_dict zero_grad requires_grad_ "
    "register_buffer register_parameter register_forward_hook register_forward_pre_hook register_full_backward_hook "
    "register_full_backward_pre_hook register_load_state_dict_post_hook register_state_dict_pre_hook add_module "
    "register_module get_submodule get_parameter get_buffer set_submodule share_memory to_empty extra_repr compile "
    "save_pretrained push_to_hub set_requires_gradient_sync no_sync unscale_ reset_parameters get_extra_state "
    "set_extra_state num_parameters gradient_checkpointing_enable"
)


class UncompiledMethodCall:
    code = "CO03"
    page = Page(
        title="a compiled module used through a method that is not compiled",
        why="`torch.compile(module)` compiles `forward` as it is called through `module(...)`. Any other method "
        "(`generate`, `get_action`, `evaluate_actions`, `training_step`) is handed to the original module and runs "
        "eagerly: exactly as fast as before.",
        cure="Call `module.compile()` and go through `self(...)` inside the method, or compile the method itself: "
        "`module.get_action = torch.compile(module.get_action)`.",
        dynamic="`hotloop diagnose` lists modules that were compiled and never called, with 0 graphs.",
        traps="Housekeeping (`state_dict`, `train`, `to`, ...) is not reported, nor are compiled functions.",
    )
    nodes: tuple[type[ast.AST], ...] = (ast.Call,)
    calls: frozenset[str] = frozenset()
    hot_only = False

    def check(self, node: ast.AST, file: SourceFile) -> Iterable[Hit]:
        assert isinstance(node, ast.Call)
        if not isinstance(node.func, ast.Attribute) or node.func.attr in _HOUSEKEEPING:
            return
        if node.func.attr.startswith("__") or not isinstance(node.func.value, (ast.Name, ast.Attribute)):
            return
        bound = file.binding(node.func.value)
        if bound is None or bound.how != "assign" or not is_compile(bound.value, file):
            return
        assert isinstance(bound.value, ast.Call)
        compiled = subject(bound.value)
        if compiled is None or isinstance(definition(compiled, file), (ast.FunctionDef, ast.AsyncFunctionDef)):
            return
        if not _goes_through_self(class_of(compiled, file), node.func.attr, file):
            yield Hit(node, f"`{bound.name}` is compiled, but `.{node.func.attr}()` runs the module that is not")


def _goes_through_self(made: ast.ClassDef | None, method: str, file: SourceFile) -> bool:
    """Methods that do not exist on the class in sight come from elsewhere: nobody knows; they are reported."""
    if made is None:
        return False
    own = [item for item in made.body if isinstance(item, ast.FunctionDef) and item.name == method]
    return any(
        isinstance(decorator, (ast.Attribute, ast.Name)) and file.name_of(decorator) == "torch.compile"
        for item in own
        for decorator in item.decorator_list
    )
