"""DA09: batches made in float32 for a model that computes in bfloat16."""

import ast
import re

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.expressions import argument, dotted

_KEPT_EXACT = re.compile(r"label|target|weight|mask|loss|reward|(^|_)(y|ys|id|ids)$", re.I)
_FLOAT32 = frozenset({"torch.float32", "torch.float", "numpy.float32"})
_HALVES = frozenset({"bfloat16", "half", "float16"})


class Float32Batches(Rule[ast.Call]):
    code = "DA09"
    doc = RuleDoc(
        title="float32 batches under bfloat16 autocast",
        why="Autocast casts the first layer's input to bfloat16; float32 doubles the bytes copied to the device.",
        cure="Normalize in float32, then cast the features to bfloat16 in the collate function; keep labels float32.",
        at_runtime="The bytes of each batch, and the cast at the entry of the model, in `hotloop diagnose`.",
        not_reported="Labels, targets, weights and masks stay float32 and are not reported. Cast only after "
        "normalizing: a raw price or a large offset loses its digits in bfloat16.",
    )
    calls = frozenset({"float", "to", "astype"})
    hot_only = True

    def check(self, node: ast.Call, file: SourceFile) -> Violations:
        hot = file.hot(node)
        if hot is None or not hot.loads_data or not isinstance(node.func, ast.Attribute):
            return
        types = [argument(call, "dtype", 1) for call in file.calls("autocast")]
        if not any(given is not None and file.name_of(given) == "torch.bfloat16" for given in types):
            return
        given = [*node.args, *(word.value for word in node.keywords if word.arg == "dtype")]
        casts = any(file.name_of(part) in _FLOAT32 for part in given) or (node.func.attr == "float" and not node.args)
        if not casts or file.attributes_in(hot.node) & _HALVES:
            return
        if not any(_KEPT_EXACT.search(name) for name in (dotted(node.func.value), *file.assigned_to(node))):
            yield Violation(node, "the batch is made in float32, and the model computes in bfloat16")
