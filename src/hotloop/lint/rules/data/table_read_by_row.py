"""DA01: a table read row by row in Python."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.expressions import argument, is_literal


class TableReadByRow(Rule[ast.Call]):
    code = "DA01"
    doc = RuleDoc(
        title="a table read row by row",
        why="`iterrows()` and `apply(axis=1)` make a Series of each row, and `itertuples()` reads the index with it: "
        "most of the time goes into objects that are discarded at once.",
        cure="Work on whole columns. Where a dict is wanted: `dict(zip(map(str, frame['code'].tolist()), "
        "frame['value'].tolist()))`. Where rows are wanted: `itertuples(index=False, name=None)`.",
        at_runtime="The share of the call in a Python profile of the start-up.",
        not_reported="`itertuples(index=False)`, `apply` of a column and `apply(axis=0)` are not reported. Beware of "
        "mixed types and missing values: `iterrows` turns a row's numbers into one type, columns keep theirs.",
    )
    calls = frozenset({"iterrows", "itertuples", "apply"})

    def check(self, node: ast.Call, file: SourceFile) -> Violations:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if name == "iterrows" and not node.args:
            yield Violation(node, "`.iterrows()` makes a Series of every row")
        elif name == "itertuples" and not is_literal(argument(node, "index", 0), False):
            yield Violation(node, "`.itertuples()` reads the index with every row; say `index=False`")
        elif name == "apply" and is_literal(argument(node, "axis"), 1, "columns"):
            yield Violation(node, "`.apply(axis=1)` makes a Series of every row and calls Python for it")
