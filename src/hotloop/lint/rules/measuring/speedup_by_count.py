"""ME06: a speed-up that counts steps and never looks at a clock."""

import ast
import re
from collections.abc import Iterator

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.expressions import dotted

_SPEEDUP = re.compile(r"speed_?up", re.I)
_COUNTS = re.compile(r"step|count|iter|forward|backward|update|calls|epoch|batches|num_|total", re.I)
_TIMES = re.compile(
    r"time|sec|elapsed|duration|latenc|throughput|clock|wall|per_|(^|_)(ms|us|ns|s|t|tps|fps|rate|dt|baseline)($|_|\d)|median|mean",
    re.I,
)


class SpeedupByCount(Rule[ast.BinOp]):
    code = "ME06"
    doc = RuleDoc(
        title="a speed-up that counts steps",
        why="A ratio of steps says how much was skipped, not the time saved: what remains, and deciding, take time.",
        cure="Time both ways interleaved on one machine to the same loss; report both ratios. `hotloop tune` does it.",
        at_runtime="Wall time of both arms, and the loss at equal time.",
        not_reported="Ratios of times or throughputs are not reported, nor ratios of counts that go by another name.",
    )
    nodes = (ast.BinOp,)

    def check(self, node: ast.BinOp, file: SourceFile) -> Violations:
        if not isinstance(node.op, ast.Div) or isinstance(file.parent(node), ast.BinOp):
            return
        if not any(_SPEEDUP.search(name) for name in _called(node, file)):
            return
        sides = [_names(node.left, file), _names(node.right, file)]
        if any(_TIMES.search(name) for names in sides for name in names):
            return
        if all(any(_COUNTS.search(name) for name in names) for names in sides):
            yield Violation(node, "this speed-up is a ratio of counts; no time was taken")


def _called(node: ast.BinOp, file: SourceFile) -> Iterator[str]:
    """What the result is called: the name or key that it is assigned to, or the function that returns it."""
    below: ast.AST = node
    for above in file.ancestors(node):
        if isinstance(above, ast.Dict):
            pairs = zip(above.keys, above.values, strict=True)
            yield from (str(key.value) for key, value in pairs if value is below and isinstance(key, ast.Constant))
        elif isinstance(above, ast.keyword):
            yield above.arg or ""
        elif isinstance(above, ast.Assign):
            yield from (dotted(target) for target in above.targets)
        elif isinstance(above, ast.AnnAssign):
            yield dotted(above.target)
        elif isinstance(above, ast.Return):
            function = file.position(node).scope.function
            yield function.name if function is not None else ""
        if isinstance(above, ast.stmt):
            return
        below = above


def _names(node: ast.expr, file: SourceFile) -> set[str]:
    return (file.names_in(node) | file.attributes_in(node)) - file.called_in(node) - {"self"}
