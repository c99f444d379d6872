"""DA15: rows of one tensor taken in Python and stacked, where one index gathers them."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations


class RowsStackedOneByOne(Rule[ast.Call]):
    code = "DA15"
    doc = RuleDoc(
        title="rows of one tensor taken one by one, then stacked",
        why="`torch.stack([x[i] for i in rows])` makes a view for each row and then copies all of them: a batch of 64 "
        "takes 65 calls where one gather does the same.",
        cure="Index with all rows at once: `x[rows]`, with a tensor or a list of them. A loader over a "
        "`TensorDataset` gets the same from the transform `batched_fetch`, without an edit.",
        at_runtime="`hotloop diagnose` counts the operators of the line.",
        not_reported="Reported only where `x` is seen to be a tensor and the rows are taken as they are: not where "
        "each is changed on the way, some are left out, or they are stacked along another dimension; and in loops.",
    )
    calls = frozenset({"stack"})

    def check(self, node: ast.Call, file: SourceFile) -> Violations:
        rows = stacked_rows(node, file) if file.position(node).loops else None
        if rows is not None:
            tensor, _ = rows
            yield Violation(node, f"`{ast.unparse(tensor)}` is indexed once for each row, where one index gathers all")


def stacked_rows(node: ast.Call, file: SourceFile) -> tuple[ast.expr, ast.expr] | None:
    """The tensor and the rows of `torch.stack([tensor[i] for i in rows])`; None for anything else."""
    if file.name_of(node.func) != "torch.stack" or len(node.args) != 1 or node.keywords:
        return None
    made = node.args[0]
    if not isinstance(made, ast.ListComp) or len(made.generators) != 1:
        return None
    loop, taken = made.generators[0], made.elt
    if loop.ifs or loop.is_async or not isinstance(loop.target, ast.Name) or not isinstance(taken, ast.Subscript):
        return None
    tensor, row = taken.value, taken.slice
    if not isinstance(row, ast.Name) or row.id != loop.target.id or row.id in file.names_in(tensor):
        return None
    return (tensor, loop.iter) if isinstance(tensor, ast.Name) and file.is_tensor(tensor) else None
