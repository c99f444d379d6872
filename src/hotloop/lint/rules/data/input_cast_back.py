"""DA10: a model that casts its input back to float32."""

import ast
import re
from collections.abc import Iterator

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.expressions import dotted, last_name, receiver, values_given

_NEEDS_FLOAT32 = re.compile(r"norm|loss|metric|criterion|softmax|rotary|attention|router|gate", re.I)
_FLOAT32 = frozenset({"torch.float32", "torch.float"})
_HALVES = frozenset({"bfloat16", "float16", "half"})


class InputCastBack(Rule[ast.FunctionDef]):
    code = "DA10"
    doc = RuleDoc(
        title="a model that casts its input back to float32",
        why="The batch was cast to a short type to save bytes; the first thing that `forward` does is to undo it. "
        "The copy costs time, and the layers read twice the bytes.",
        cure="Cast in one place. Under autocast the layers choose their own type: drop the cast.",
        at_runtime="Copies from bfloat16 to float32 of the input of the model, in `hotloop diagnose`.",
        not_reported="Normalizations, losses and other modules that need float32, a `forward` that casts its result "
        "back, and files in which nothing is bfloat16 or float16 are not reported.",
    )
    nodes = (ast.FunctionDef,)

    def check(self, node: ast.FunctionDef, file: SourceFile) -> Violations:
        owner = file.position(node).scope.owner
        if node.name != "forward" or owner is None or owner.name not in file.modules:
            return
        casts_again = file.attributes_in(node) & {"dtype", "type_as", *_HALVES}
        computes_in_half = file.calls("autocast", *_HALVES) or file.attributes_in(file.tree) & _HALVES
        if casts_again or _NEEDS_FLOAT32.search(owner.name) or not computes_in_half:
            return
        names = {argument.arg for argument in node.args.args[1:]}
        for cast in _first_casts(node, file):
            if dotted(receiver(cast)) in names:
                yield Violation(cast, f"`{owner.name}.forward` casts its input back to float32")


def _first_casts(node: ast.FunctionDef, file: SourceFile) -> Iterator[ast.Call]:
    """The casts to float32 that a function starts with, each assigned to the name that it casts."""
    body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
    for statement in body:
        if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Call):
            return
        call = statement.value
        of = receiver(call)
        if of is None or dotted(of) != dotted(statement.targets[0]):
            return
        name = last_name(call.func)
        if name == "float" or (name == "to" and any(file.name_of(part) in _FLOAT32 for part in values_given(call))):
            yield call
