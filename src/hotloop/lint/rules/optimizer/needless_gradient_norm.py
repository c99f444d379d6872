"""OP06: clipping that is switched off and still computed, and norms added up in Python."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.expressions import argument, dotted, last_name

_INFINITE = frozenset({"math.inf", "torch.inf", "numpy.inf"})
_SWITCHED_OFF = 1e6  # no norm comes near such a limit: it is a way to say "off"
_READS = frozenset({"item", "float", "tolist"})  # then it is SY07
_NORMS = frozenset({"norm", "pow", "square", "sum", "vector_norm"})


class NeedlessGradientNorm(Rule[ast.Call | ast.Assign | ast.AugAssign]):
    code = "OP06"
    doc = RuleDoc(
        title="gradient norms computed for nothing, or one parameter at a time",
        why="`clip_grad_norm_` with an infinite limit computes every norm and multiplies every gradient by one. A loop "
        "over `parameters()` that adds up norms takes several operators for each parameter.",
        cure="Leave the call out where clipping is off. For the norm alone: "
        "`torch.nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])`, every N steps.",
        at_runtime="The share of the clipping between backward and step, in `hotloop diagnose`.",
        not_reported="A limit that comes from the settings is not reported, nor a sum over the weights themselves "
        "(weight decay), nor a norm taken once after training.",
    )
    nodes = (ast.Assign, ast.AugAssign)
    calls = frozenset({"clip_grad_norm_"})
    hot_only = True

    def check(self, node: ast.Call | ast.Assign | ast.AugAssign, file: SourceFile) -> Violations:
        if not isinstance(node, ast.Call):
            if _adds_norms(node, file):
                yield Violation(node, "norms of gradients are added up in Python, one parameter at a time")
            return
        limit = argument(node, "max_norm", 1)
        if limit is not None and _is_infinite(limit, file):
            yield Violation(node, "clipping with a limit that is never reached computes every norm for nothing")


def _is_infinite(limit: ast.expr, file: SourceFile) -> bool:
    if file.name_of(limit) in _INFINITE:
        return True
    if isinstance(limit, ast.Call) and dotted(limit.func) == "float":
        given = [part.value for part in limit.args if isinstance(part, ast.Constant)]
        return any(str(value).lower() in ("inf", "infinity") for value in given)
    value = file.number(limit)
    return value is not None and value >= _SWITCHED_OFF


def _adds_norms(node: ast.Assign | ast.AugAssign, file: SourceFile) -> bool:
    loops = file.position(node).loops
    loop = loops[-1].node if loops else None
    if not isinstance(loop, ast.For) or not isinstance(loop.iter, ast.Call):
        return False
    if last_name(loop.iter.func) not in ("parameters", "named_parameters"):
        return False
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    adds = isinstance(node, ast.AugAssign) or any(dotted(part) == dotted(target) for part in file.within(node.value))
    called = file.called_in(node.value)
    of_gradients = "grad" in file.attributes_in(node.value)
    return adds and of_gradients and bool(called & _NORMS) and not called & _READS
