"""CO03: a compiled module used through another method than forward."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.compile_calls import compiled_part, is_compile
from hotloop.lint.source_model.definitions import class_of, decorators, definition, method
from hotloop.lint.source_model.expressions import words
from hotloop.lint.source_model.module_calls import HOUSEKEEPING, method_runs_module
from hotloop.lint.source_model.node_types import FunctionDef

# What nanoGPT calls its methods that compute nothing, and many programs with it: where the class is not in this file.
_USUAL_HELPERS = words("estimate_mfu get_num_params configure_optimizers crop_block_size")


class UncompiledMethodCall(Rule[ast.Call]):
    code = "CO03"
    doc = RuleDoc(
        title="a compiled module used through a method that is not compiled",
        why="`torch.compile(module)` compiles `forward` as it is called through `module(...)`. Any other method "
        "(`generate`, `get_action`, `training_step`) goes to the original module and runs eagerly: as fast as before.",
        cure="Call `module.compile()` and go through `self(...)` inside the method, or compile the method itself: "
        "`module.get_action = torch.compile(module.get_action)`.",
        at_runtime="`hotloop diagnose` lists modules that were compiled and never called, with 0 graphs.",
        not_reported="Housekeeping (`state_dict`, `train`, `to`, ...) is not reported, nor are compiled functions, nor "
        "methods of a class of this file that only compute with numbers (`estimate_mfu` from parameter sizes).",
    )
    nodes = (ast.Call,)

    def check(self, node: ast.Call, file: SourceFile) -> Violations:
        if not isinstance(node.func, ast.Attribute) or node.func.attr == "forward":
            return
        if node.func.attr.startswith("__") or node.func.attr in HOUSEKEEPING:
            return
        binding = file.binding(node.func.value)
        if binding is None or binding.how != "assign" or not isinstance(binding.value, ast.Call):
            return
        compiled = compiled_part(binding.value) if is_compile(binding.value, file) else None
        if compiled is None or isinstance(definition(compiled, file), FunctionDef):
            return
        if _runs_eagerly(class_of(compiled, file), node.func.attr, file):
            yield Violation(node, f"`{binding.name}` is compiled, but `.{node.func.attr}()` runs the one that is not")


def _runs_eagerly(made: ast.ClassDef | None, name: str, file: SourceFile) -> bool:
    """Whether a method runs the module uncompiled; assumed of methods that this file does not define."""
    if made is None:
        return name not in _USUAL_HELPERS
    function = method(made, name)
    if function is not None and any(decorator == "torch.compile" for _, decorator in decorators(function, file)):
        return False
    return method_runs_module(made, name, file)
