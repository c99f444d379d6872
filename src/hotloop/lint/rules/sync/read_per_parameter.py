"""SY07: one read for each parameter."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.host_reads import reads_in, tested_tensors
from hotloop.lint.source_model.node_types import iterations

_PARAMETERS = frozenset({"parameters", "named_parameters", "buffers", "named_buffers"})


class ReadPerParameter(Rule[ast.For | ast.expr]):
    code = "SY07"
    doc = RuleDoc(
        title="a read for each parameter",
        why="`p.grad.norm().item()` for each parameter waits as many times, with a tiny kernel before each wait.",
        cure="`torch.stack(torch._foreach_norm(grads))` gives all norms in one call, and one `.tolist()` (or none: "
        "keep them on the device) reads them; `torch.nn.utils.get_total_norm` gives the total.",
        at_runtime="As many scalar reads from one line as there are parameters, in `hotloop diagnose`.",
        not_reported="Outside hot code only reads of gradients are reported: those belong to a step wherever they are "
        "written. `p.numel()` and shapes are no reads.",
    )
    nodes = (ast.For, ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp)

    def check(self, node: ast.For | ast.expr, file: SourceFile) -> Violations:
        over = [iterable for iterable, _ in iterations(node)]
        over += [value for iterable in over if (value := file.assigned(iterable)) is not None]
        if any(file.called_in(value) & _PARAMETERS for value in over):
            branches = file.within(node, ast.If, ast.While, ast.Assert, ast.IfExp)
            tests = [test for branch in branches for test in tested_tensors(branch.test, file)]
            for read in [*reads_in(node, file), *tests]:
                names = file.within(read, ast.Name)
                of_gradient = "grad" in file.attributes_in(read) or any(_is_from_gradient(name, file) for name in names)
                if of_gradient or file.hot(read) is not None:
                    yield Violation(read, "reads from the device once for each parameter")


def _is_from_gradient(name: ast.Name, file: SourceFile) -> bool:
    binding = file.binding(name) if isinstance(name.ctx, ast.Load) else None
    if binding is None or binding.how != "assign" or binding.value is None or binding.order > file.order(name):
        return False
    return "grad" in file.attributes_in(binding.value)
