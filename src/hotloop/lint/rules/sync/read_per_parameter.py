"""SY07: one read for each parameter."""

import ast
from collections.abc import Iterable

from hotloop.lint.rule import Hit, Page
from hotloop.lint.source_model.host_reads import reads_in, tests_in
from hotloop.lint.source_model.names import last_name
from hotloop.lint.source_model.source_file import SourceFile

_PARAMETERS = frozenset({"parameters", "named_parameters", "buffers", "named_buffers"})


class ReadPerParameter:
    code = "SY07"
    page = Page(
        title="a read for each parameter",
        why="`p.grad.norm().item()` in a loop over the parameters waits as many times as the model has parameters, "
        "with a tiny kernel before each wait.",
        cure="`torch.stack(torch._foreach_norm(grads))` gives all norms in one call, and one `.tolist()` (or none: "
        "keep them on the device) reads them; `torch.nn.utils.get_total_norm` gives the total.",
        dynamic="As many scalar reads from one line as there are parameters, in `hotloop diagnose`.",
        traps="Outside hot code only reads of gradients are reported: those belong to a step wherever they are "
        "written. `p.numel()` and shapes are no reads.",
    )
    nodes = (ast.For, ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp)
    calls: frozenset[str] = frozenset()
    hot_only = False

    def check(self, node: ast.AST, file: SourceFile) -> Iterable[Hit]:
        assert isinstance(node, (ast.For, ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp))
        iterables = [node.iter] if isinstance(node, ast.For) else [part.iter for part in node.generators]
        if not any(_over_parameters(iterable, file) for iterable in iterables):
            return
        for read in [*reads_in(node, file), *tests_in(node, file)]:
            if file.hot(read) is not None or _of_gradient(read, file):
                assert isinstance(read, ast.expr)
                yield Hit(read, "reads from the device once for each parameter")


def _over_parameters(iterable: ast.expr, file: SourceFile) -> bool:
    if any(isinstance(part, ast.Call) and last_name(part.func) in _PARAMETERS for part in file.within(iterable)):
        return True
    bound = file.binding(iterable) if isinstance(iterable, ast.Name) else None
    if bound is None or bound.how != "assign" or bound.value is None:
        return False
    return any(isinstance(part, ast.Call) and last_name(part.func) in _PARAMETERS for part in file.within(bound.value))


def _of_gradient(read: ast.AST, file: SourceFile) -> bool:
    return any(_is_grad(part) or _is_bound_to_grad(part, file) for part in file.within(read))


def _is_grad(part: ast.AST) -> bool:
    return isinstance(part, ast.Attribute) and part.attr == "grad"


def _is_bound_to_grad(part: ast.AST, file: SourceFile) -> bool:
    bound = file.binding(part) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load) else None
    if bound is None or bound.how != "assign" or bound.value is None or bound.order > file.order(part):
        return False
    return any(_is_grad(inner) for inner in file.within(bound.value))
