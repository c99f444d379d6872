"""OP04: statistics of gradients that are still scaled, or clipped already."""

import ast
import re

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.expressions import dotted, last_name, receiver
from hotloop.lint.source_model.kind import Kind

_COLLECTS = re.compile(r"grad.*(norm|stat|health|hist)|(norm|stat|health|hist|collect|log).*grad", re.I)
_NOT_STATISTICS = re.compile(r"clip|zero|requires|no_grad|enable|normaliz|unscale|sync|accumul|checkpoint", re.I)
_FIGURES = frozenset({"norm", "abs", "mean", "max", "std", "square", "pow", "vector_norm", "_foreach_norm"})
_CLIPS = frozenset({"clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_"})


class GradientStatsScaledOrClipped(Rule[ast.Call]):
    code = "OP04"
    doc = RuleDoc(
        title="gradient statistics of scaled or clipped gradients",
        why="Between `scaler.scale(loss).backward()` and `scaler.unscale_()` gradients are thousands of times too "
        "large, and after clipping no norm is above the limit: figures taken there say nothing of the training. A "
        "limit that is applied before unscaling clips nearly everything to nothing.",
        cure="Take the figures after `scaler.unscale_(optimizer)` and before clipping.",
        not_reported="The norm that `clip_grad_norm_` returns is the one before clipping and is not reported.",
    )
    calls = frozenset({"backward"})
    hot_only = True

    def check(self, node: ast.Call, file: SourceFile) -> Violations:
        hot, loss = file.hot(node), receiver(node)
        if hot is None or loss is None:
            return
        scales = [call.func for call in file.calls("scale") if call is loss]  # scaler.scale(loss).backward()
        scaled, clipped = any("scaler" in dotted(func).lower() for func in scales), False
        for call in file.within(hot.node, ast.Call):
            if file.order(call) <= file.order(node):
                continue
            name, of = last_name(call.func), receiver(call) or call.func
            updates = file.kind(of) is Kind.OPTIMIZER or "scaler" in dotted(of).lower() or "optim" in dotted(of)
            if name == "step" and updates:
                return
            if name == "unscale_":
                scaled = False
            elif name in _CLIPS:
                if scaled:
                    yield Violation(call, "gradients are clipped while they are still scaled; call `unscale_` first")
                clipped = True
            elif (scaled or clipped) and (
                (_COLLECTS.search(name) and not _NOT_STATISTICS.search(name))
                or (name in _FIGURES and "grad" in file.attributes_in(call))
            ):
                state = "still scaled" if scaled else "clipped already"
                yield Violation(call, f"these figures are taken of gradients that are {state}")
