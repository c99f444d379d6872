"""CO03: a compiled module used through another method than forward."""

import ast
from collections.abc import Iterable

from hotloop.lint.rule import Rule, RuleDoc, Violation
from hotloop.lint.source_model.compile_calls import compiled_part, is_compile
from hotloop.lint.source_model.definitions import class_of, decorators, definition, method
from hotloop.lint.source_model.names import words
from hotloop.lint.source_model.node_types import FunctionDef
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


class UncompiledMethodCall(Rule[ast.Call]):
    code = "CO03"
    doc = RuleDoc(
        title="a compiled module used through a method that is not compiled",
        why="`torch.compile(module)` compiles `forward` as it is called through `module(...)`. Any other method "
        "(`generate`, `get_action`, `evaluate_actions`, `training_step`) is passed to the original module and runs "
        "eagerly: exactly as fast as before.",
        cure="Call `module.compile()` and go through `self(...)` inside the method, or compile the method itself: "
        "`module.get_action = torch.compile(module.get_action)`.",
        at_runtime="`hotloop diagnose` lists modules that were compiled and never called, with 0 graphs.",
        not_reported="Housekeeping (`state_dict`, `train`, `to`, ...) is not reported, nor are compiled functions.",
    )
    nodes = (ast.Call,)

    def check(self, node: ast.Call, file: SourceFile) -> Iterable[Violation]:
        if not isinstance(node.func, ast.Attribute) or node.func.attr in _HOUSEKEEPING:
            return
        if node.func.attr.startswith("__") or not isinstance(node.func.value, (ast.Name, ast.Attribute)):
            return
        binding = file.binding(node.func.value)
        if binding is None or binding.how != "assign" or not isinstance(binding.value, ast.Call):
            return
        compiled = compiled_part(binding.value) if is_compile(binding.value, file) else None
        if compiled is None or isinstance(definition(compiled, file), FunctionDef):
            return
        if not _is_compiled_itself(class_of(compiled, file), node.func.attr, file):
            yield Violation(
                node, f"`{binding.name}` is compiled, but `.{node.func.attr}()` runs the module that is not"
            )


def _is_compiled_itself(made: ast.ClassDef | None, name: str, file: SourceFile) -> bool:
    """Methods that do not exist on the class in sight come from elsewhere: nobody knows; they are reported."""
    function = method(made, name) if made is not None else None
    return function is not None and any(decorator == "torch.compile" for _, decorator in decorators(function, file))
