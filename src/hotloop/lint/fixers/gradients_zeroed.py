"""OP01: `zero_grad(set_to_none=False)` becomes `zero_grad()`, where every parameter gets a gradient in every step."""

import ast

import libcst as cst

from hotloop.lint.patches.concrete_source import ConcreteSource
from hotloop.lint.patches.edits import Edits, NotExact
from hotloop.lint.patches.fixer import Fixer
from hotloop.lint.source_model.definitions import method
from hotloop.lint.source_model.expressions import dotted, receiver, words
from hotloop.lint.source_model.kind import Kind
from hotloop.lint.source_model.node_types import FunctionDef
from hotloop.lint.source_model.source_file import SourceFile

_BRANCHES = (ast.If, ast.IfExp, ast.While, ast.Try, ast.Match, ast.With, ast.For, ast.ListComp, ast.GeneratorExp)
_CUTS = words("detach detach_ no_grad inference_mode argmax argmin item tolist numpy round long int bool")


class DropGradients(Fixer[ast.Call]):
    """Zeros and None differ for a parameter without a gradient: zeros are still decayed and carry momentum.

    So the file has to show the model, and that it is straight: an `nn.Sequential` or single layer, or a class whose
    forward has no branches and uses each of its submodules; and the step has to be one unconditional forward and
    backward.
    """

    code = "OP01"
    node = ast.Call
    calls = frozenset({"zero_grad"})

    def edits(self, node: ast.Call, source: ConcreteSource) -> Edits:
        file = source.file
        if source.has_comment(node):
            raise NotExact("a comment stands in the call")
        if "grad" in file.attributes_in(file.tree):
            raise NotExact("the file reads `.grad`, which would be None")
        model = _model(node, file)
        _check_step(node, model, file)
        _check_model(model, file)
        call = source.concrete(node, cst.Call)
        return Edits(subject=node, replace={call: lambda updated: updated.with_changes(args=())})


def _model(node: ast.Call, file: SourceFile) -> ast.Name:
    cleared = receiver(node)
    made = file.assigned(cleared)
    if isinstance(made, ast.Call) and file.name_of(made.func).startswith("torch.optim."):
        given = made.args[0] if made.args else None
        if isinstance(given, ast.Call) and isinstance(given.func, ast.Attribute) and given.func.attr == "parameters":
            cleared = given.func.value
    if not isinstance(cleared, ast.Name):
        raise NotExact("this file does not show which parameters it clears")
    return cleared


def _check_step(node: ast.Call, model: ast.Name, file: SourceFile) -> None:
    """Raise NotExact unless its block also runs the model, the file's one backward and the step, with no branch."""
    statement = file.statement(node)
    block = file.parent(statement)
    body = block.body if isinstance(block, (ast.For, ast.FunctionDef)) else []
    steps = [(call, receiver(call)) for call in file.calls("step")]
    updates = [call for call, of in steps if of is not None and file.kind(of) is Kind.OPTIMIZER]
    runs = [call for call in file.calls(model.id) if isinstance(call.func, ast.Name)]
    kinds = ([node], file.calls("backward"), updates, runs)
    found = [[at for at, item in enumerate(body) for call in calls if file.holds(item, call)] for calls in kinds]
    if len(file.calls("backward")) != 1 or len(file.calls("zero_grad")) != 1:
        raise NotExact("the file has more than one backward, or clears gradients in more than one place")
    if not all(found):
        raise NotExact("forward, backward, step and clearing are not in one block")
    indexes = sorted(at for each in found for at in each)
    if any(file.within(item, *_BRANCHES) for item in body[indexes[0] : indexes[-1] + 1]):
        raise NotExact("the step has branches or inner blocks: a parameter could be left out of one")


def _check_model(model: ast.Name, file: SourceFile) -> None:
    made = file.assigned(model)
    if not isinstance(made, ast.Call):
        raise NotExact(f"this file does not show how `{model.id}` is made")
    name = file.name_of(made.func)
    if any(word.arg == "sparse" for call in file.all(ast.Call) for word in call.keywords):
        raise NotExact("sparse gradients are laid out in another way")
    if name.startswith("torch.nn."):
        _check_layers(made, file)
        return
    owner = next((item for item in file.all(ast.ClassDef) if item.name == name), None)
    if owner is None:
        raise NotExact(f"the class `{name}` is not in this file")
    _check_class(owner, file)


def _check_layers(made: ast.Call, file: SourceFile) -> None:
    if not all(file.name_of(call.func).startswith("torch.nn.") for call in file.within(made, ast.Call)):
        raise NotExact("a layer is made by code that is not torch.nn")


def _check_class(owner: ast.ClassDef, file: SourceFile) -> None:
    start, forward = method(owner, "__init__"), method(owner, "forward")
    if start is None or forward is None or len(owner.bases) != 1 or file.name_of(owner.bases[0]) != "torch.nn.Module":
        raise NotExact(f"`{owner.name}` is not a plain nn.Module")
    if file.within(forward, *_BRANCHES):
        raise NotExact(f"`{owner.name}.forward` has branches or loops: a submodule could be left out")
    if file.attributes_in(forward) & _CUTS:
        raise NotExact(f"`{owner.name}.forward` cuts the gradient")
    returns = file.within(forward, ast.Return)
    if len(returns) != 1 or isinstance(returns[0].value, (ast.Tuple, ast.List, ast.Dict)):
        raise NotExact(f"`{owner.name}.forward` returns several things: the loss could ignore one")
    used = {dotted(call.func) for call in file.within(forward, ast.Call)}
    for item in file.within(start, ast.Assign):
        target = dotted(item.targets[0])
        if not target.startswith("self."):
            continue
        if not isinstance(item.value, ast.Call) or not file.name_of(item.value.func).startswith("torch.nn."):
            raise NotExact(f"`{target}` is not a layer of torch.nn")
        _check_layers(item.value, file)
        if target not in used:
            raise NotExact(f"`{owner.name}.forward` does not call `{target}`")
    _check_flow(forward, file)


def _check_flow(forward: FunctionDef, file: SourceFile) -> None:
    """Raise NotExact where a value is computed in forward and then not used: its submodules get no gradient."""
    if any(isinstance(item, ast.Expr) and isinstance(item.value, ast.Call) for item in forward.body):
        raise NotExact("forward calls something and drops the result")
    scope = file.scope(forward)
    for name, bindings in scope.bindings.items():
        reads = [file.order(use) for use in file.uses(scope, name)]
        ends = [*(binding.order for binding in bindings[1:]), float("inf")]
        for binding, end in zip(bindings, ends, strict=True):
            if not any(binding.order < read < end for read in reads) and binding.how != "argument":
                raise NotExact(f"`{name}` is computed in forward and not used")
