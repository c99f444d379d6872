"""ME01: the mean of the means of batches."""

import ast
import re
from collections.abc import Iterator

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.expressions import argument, dotted, is_literal, last_name, receiver

_LOSS = re.compile(r"loss|(^|_)(mse|mae|nll|bce|l1|ce)(_|$)|cross_entropy|criterion|accuracy", re.I)
_NOT_MEANS = frozenset({"sum", "len", "size"})

Accumulation = tuple[ast.For, ast.expr]  # the loop over the loader, and what is added for each batch


class MeanOfBatchMeans(Rule[ast.BinOp | ast.Call]):
    code = "ME01"
    doc = RuleDoc(
        title="the mean of the means of batches",
        why="The last batch is usually shorter, and with `ignore_index` or class weights no two batches count the "
        "same. The mean of their means gives the few samples of a short batch the weight of a full one.",
        cure="Weight each batch by its loss's divisor: `total += loss.detach() * n; count += n`, then `total / count`.",
        at_runtime="The figure against the mean over all samples, in an A/B run.",
        not_reported="A loader with `drop_last=True`, sums (`reduction='sum'`), and batches that are weighted already "
        "are not reported. With `ignore_index` the weight is the number of counted entries, not the batch size.",
    )
    nodes = (ast.BinOp,)
    calls = frozenset({"mean"})

    def check(self, node: ast.BinOp | ast.Call, file: SourceFile) -> Violations:
        found = None
        if isinstance(node, ast.Call):
            if file.name_of(node.func) in ("numpy.mean", "statistics.mean") and node.args:
                found = _listed(dotted(node.args[0]), dotted(node.args[0]), file, at=node)
        elif isinstance(node.op, ast.Div):
            found = _added_up(node, file) or _listed(_read(node.left, "sum"), _read(node.right, "len"), file)
        if found is None or not _is_mean(found[1], file):
            return
        loaders = {dotted(part) for part in file.within(found[0].iter)} - {""}
        made = [call for call in file.calls("DataLoader") if file.assigned_to(call) & loaders]
        if not any(is_literal(argument(call, "drop_last", 8), True) for call in made):
            yield Violation(node, "each batch counts the same here, whatever its size")


def _read(node: ast.expr, function: str) -> str:
    """The name that `sum(name)` or `len(name)` is called on, or ""."""
    if isinstance(node, ast.Call) and dotted(node.func) == function and len(node.args) == 1:
        return dotted(node.args[0])
    return ""


def _added_up(node: ast.BinOp, file: SourceFile) -> Accumulation | None:
    """`total / len(loader)` or `total / n`, where a loop over the loader does `total += ...` (and `n += 1`)."""
    left = node.left
    if isinstance(left, ast.Call):  # total.item(), float(total)
        left = receiver(left) or next(iter(left.args), left)
    name, loader, counter = dotted(left), _read(node.right, "len"), dotted(node.right)
    for loop, added in _sums(name, node, file):
        if loader and any(dotted(part) == loader for part in file.within(loop.iter)):
            return loop, added
        if counter and any(other is loop and is_literal(one, 1) for other, one in _sums(counter, node, file)):
            return loop, added
    return None


def _sums(name: str, before: ast.AST, file: SourceFile) -> Iterator[Accumulation]:
    """Each `name += value` directly in a loop over a loader that ends before this node, in the same scope."""
    scope = file.position(before).scope
    for adds in file.all(ast.AugAssign):
        if not name or dotted(adds.target) != name or file.position(adds).scope is not scope:
            continue
        loop = _over_loader(adds, file)
        earlier = file.order(adds) < file.order(before)
        if loop is not None and earlier and isinstance(adds.op, ast.Add) and not file.holds(loop, before):
            yield loop, adds.value


def _listed(total: str, length: str, file: SourceFile, at: ast.AST | None = None) -> Accumulation | None:
    """`sum(losses) / len(losses)`, where a loop over a loader appends to `losses`."""
    if not total or total != length:
        return None
    for call in file.calls("append"):
        loop = _over_loader(call, file)
        if loop is None or dotted(call.func) != f"{total}.append" or len(call.args) != 1:
            continue
        if at is None or not file.holds(loop, at):
            return loop, call.args[0]
    return None


def _over_loader(node: ast.AST, file: SourceFile) -> ast.For | None:
    loops = file.position(node).loops
    loop = loops[-1] if loops else None
    return loop.node if loop is not None and loop.iterates_loader and isinstance(loop.node, ast.For) else None


def _is_mean(added: ast.expr, file: SourceFile) -> bool:
    """Whether what is added is the mean of a batch: it is called a loss, nothing weights it, nothing sums it."""
    pending = [added]
    for value in pending:  # grows by what names were assigned
        if any(_weights_or_sums(part) for part in file.within(value)):
            return False
        name = receiver(value) if isinstance(value, ast.Call) else value
        assigned = file.assigned(name)
        if assigned is not None and len(pending) < 4:
            pending.append(assigned)
    parts = file.within(added, ast.Name, ast.Attribute)
    return any(_LOSS.search(part.id if isinstance(part, ast.Name) else part.attr) for part in parts)


def _weights_or_sums(part: ast.AST) -> bool:
    if isinstance(part, ast.BinOp):
        return isinstance(part.op, ast.Mult)
    if isinstance(part, ast.Call):
        return last_name(part.func) in _NOT_MEANS
    return isinstance(part, ast.keyword) and part.arg == "reduction" and is_literal(part.value, "sum")
