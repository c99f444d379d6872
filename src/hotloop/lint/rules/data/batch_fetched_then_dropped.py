"""DA12: a batch that is fetched and then dropped by an early break."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.expressions import dotted


class BatchFetchedThenDropped(Rule[ast.For]):
    code = "DA12"
    doc = RuleDoc(
        title="a batch fetched and dropped",
        why="The test comes first in the body: by then one batch too many has been loaded, collated and moved.",
        cure="`for batch in itertools.islice(loader, n)`, or test at the end of the body.",
        at_runtime="Batches fetched less batches used, in `hotloop diagnose`.",
        not_reported="A test at the end or of the batch itself, and loops over anything but loaders are not reported.",
    )
    nodes = (ast.For,)

    def check(self, node: ast.For, file: SourceFile) -> Violations:
        first = node.body[0]
        if not file.position(first).loops[-1].iterates_loader:
            return
        if not isinstance(first, ast.If) or first.orelse or not isinstance(first.body[-1], ast.Break):
            return
        tests = [first.test]
        if isinstance(first.test, ast.BoolOp):
            tests = first.test.values if isinstance(first.test.op, ast.And) else []
        if any(_counts_batches(test, node, file) for test in tests):
            yield Violation(first, "the batch that is already fetched is dropped by this break")


def _counts_batches(test: ast.expr, loop: ast.For, file: SourceFile) -> bool:
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return False
    left = dotted(test.left.left if isinstance(test.left, ast.BinOp) else test.left)
    # What counts batches is the first target of enumerate, or what the body adds to.
    counters = {dotted(part.target) for part in file.within(loop, ast.AugAssign)}
    counted = isinstance(loop.iter, ast.Call) and file.name_of(loop.iter.func) == "enumerate"
    if counted and isinstance(loop.target, ast.Tuple):
        counters.add(dotted(loop.target.elts[0]))
    return left != "" and left in counters and isinstance(test.ops[0], (ast.Gt, ast.GtE, ast.Eq))
