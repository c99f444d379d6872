"""DA11: a tensor or array that grows by concatenation in a loop."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.expressions import dotted

_JOINS = frozenset(
    f"{library}.{name}"
    for library in ("torch", "numpy")
    for name in ("cat", "concat", "concatenate", "hstack", "vstack", "append")
)
_SIZES = frozenset({"shape", "size", "ndim", "numel", "dim"})


class GrowingTensor(Rule[ast.Assign]):
    code = "DA11"
    doc = RuleDoc(
        title="a tensor that grows by concatenation in a loop",
        why="`x = torch.cat([x, y])` copies all so far in each pass: the cost grows with the square of the passes.",
        cure="Append the pieces to a list and concatenate once after the loop. Preallocate only where pieces are big.",
        at_runtime="Bytes written by `cat` that grow from step to step, in `hotloop diagnose`.",
        not_reported="Append then one `cat` is the cure and is not reported. Neither is a name that is assigned again "
        "in each pass (`x = up(x); x = torch.cat([x, skip])`), nor one that the loop reads for something else "
        "(generation of tokens, dense blocks): there the growth is the algorithm.",
    )
    nodes = (ast.Assign,)

    def check(self, node: ast.Assign, file: SourceFile) -> Violations:
        name = dotted(node.targets[0]) if len(node.targets) == 1 else ""
        loops = file.position(node).loops
        call = node.value
        if not name or not loops or not isinstance(call, ast.Call) or file.name_of(call.func) not in _JOINS:
            return
        own = _grown(call, name)
        loop = loops[-1].node
        statements = [binding.statement for binding in file.bindings_of(node.targets[0])]
        others = [statement for statement in statements if statement is not node and file.holds(loop, statement)]
        if own is None or any(other is loop or not _excludes(other, node, file) for other in others):
            return
        named = [part for part in file.within(loop, ast.Name, ast.Attribute) if dotted(part) == name]
        if all(part is own or _is_size(part, file) for part in named if isinstance(part.ctx, ast.Load)):
            yield Violation(node, f"`{name}` is copied whole in every pass of the loop")


def _grown(call: ast.Call, name: str) -> ast.expr | None:
    """The read of `name` that stands among the pieces which are joined, with at least one more."""
    first = call.args[0] if call.args else None
    if dotted(call.func).endswith(".append"):
        return first if first is not None and dotted(first) == name else None
    pieces = first.elts if isinstance(first, (ast.List, ast.Tuple)) else []
    own = [piece for piece in pieces if dotted(piece) == name]
    return own[0] if len(own) == 1 and len(pieces) > 1 else None


def _excludes(one: ast.AST, other: ast.AST, file: SourceFile) -> bool:
    """Whether the two stand in different branches of one `if`."""
    for above in file.ancestors(one):
        if isinstance(above, ast.If) and file.holds(above, other):
            return not any(
                any(file.holds(item, one) for item in branch) and any(file.holds(item, other) for item in branch)
                for branch in (above.body, above.orelse)
            )
    return False


def _is_size(part: ast.expr, file: SourceFile) -> bool:
    """Whether a read asks only for the size, or whether the name is None."""
    above = file.parent(part)
    if isinstance(above, ast.Attribute):
        return above.attr in _SIZES
    if isinstance(above, ast.Call):
        return dotted(above.func) == "len"
    return isinstance(above, ast.Compare) and isinstance(above.ops[0], (ast.Is, ast.IsNot))
