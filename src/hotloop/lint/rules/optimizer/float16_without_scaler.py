"""OP10: training in float16 without scaling the loss."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.expressions import argument, is_literal, unpacks

_HALF = frozenset({"torch.float16", "torch.half"})


class Float16WithoutScaler(Rule[ast.Call]):
    code = "OP10"
    doc = RuleDoc(
        title="float16 training without a GradScaler",
        why="float16 holds nothing below 6e-8: small gradients become zero, and their layers silently stop learning.",
        cure="Use bfloat16 where the hardware has it, or `torch.amp.GradScaler`.",
        at_runtime="The share of gradients that are exactly zero, against float32, in an A/B run.",
        not_reported="Inference, bfloat16, a scaler in the file: no report. `torch.autocast('cuda')` alone is float16.",
    )
    calls = frozenset({"autocast"})
    hot_only = True

    def check(self, node: ast.Call, file: SourceFile) -> Violations:
        hot = file.hot(node)
        if hot is None or hot.kind not in ("batch loop", "step") or not _is_half(node, file):
            return
        names = file.names_in(file.tree) | file.attributes_in(file.tree)
        has_scaler = any("scaler" in name.lower() for name in names)
        if not has_scaler and any(file.holds(hot.node, call) for call in file.calls("backward")):
            yield Violation(node, "the step computes in float16 and nothing scales the loss")


def _is_half(node: ast.Call, file: SourceFile) -> bool:
    name = file.name_of(node.func)
    if not name.startswith("torch.") or unpacks(node) or is_literal(argument(node, "enabled"), False):
        return False
    dtype = argument(node, "dtype", 1)
    if dtype is not None:
        return file.name_of(dtype) in _HALF
    return name == "torch.cuda.amp.autocast" or is_literal(argument(node, "device_type", 0), "cuda")
