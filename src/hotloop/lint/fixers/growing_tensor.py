"""DA11: `x = torch.cat([x, y])` in a loop becomes a list that is filled there and one `torch.cat` after the loop."""

import ast

import libcst as cst

from hotloop.lint.patches.concrete_source import ConcreteSource
from hotloop.lint.patches.edits import Edits, NotExact
from hotloop.lint.patches.fixer import Fixer
from hotloop.lint.source_model.expressions import dotted, is_literal, values_given, words
from hotloop.lint.source_model.node_types import LoopNode
from hotloop.lint.source_model.position import Scope
from hotloop.lint.source_model.source_file import SourceFile

_TORCH = frozenset({"torch.cat", "torch.concat", "torch.concatenate"})
_EMPTY = words("torch.empty torch.zeros torch.ones torch.tensor numpy.empty numpy.zeros numpy.ones numpy.array")


class GatherThenJoin(Fixer[ast.Assign]):
    """Exact: concatenation is associative, in values and in dtype, and pieces are copied when they are taken, so that
    a buffer which the loop writes again is seen as it was. Nothing may look at the name between its first value and
    the end of the loop, and no handler may see it half filled.
    """

    code = "DA11"
    node = ast.Assign

    def edits(self, node: ast.Assign, source: ConcreteSource) -> Edits:
        file = source.file
        call, target = node.value, node.targets[0]
        if not isinstance(target, ast.Name) or not isinstance(call, ast.Call):
            raise NotExact("an attribute can be read by other code before the loop is over")
        piece = _piece(call, target.id, file)
        loop = _loop(node, target.id, file)
        _check_reads(node, target.id, loop, file)
        if source.has_comment(call) and call.lineno != call.end_lineno:
            raise NotExact("a comment stands in the call")
        line, outer = source.line_of(node), source.concrete(loop, cst.For if isinstance(loop, ast.For) else cst.While)
        parts = f"{target.id}_parts"
        if any(name.id == parts for name in file.all(ast.Name)):
            raise NotExact(f"the name `{parts}` is taken")
        joined = source.concrete(call, cst.Call)
        first = joined.args[0].with_changes(value=cst.Name(parts))
        after = f"{target.id} = {source.code(joined.with_changes(args=[first, *joined.args[1:]]))}"
        text, library = source.code(source.concrete(piece, cst.BaseExpression)), dotted(call.func).rpartition(".")[0]
        if not library and file.name_of(call.func) not in _TORCH:
            raise NotExact("`concatenate` is imported without its module")
        copied = f"{text}.clone()" if file.name_of(call.func) in _TORCH else f"{library}.array({text})"
        taken = source.statement(f"{parts}.append({copied})")
        assert isinstance(taken, cst.SimpleStatementLine)
        return Edits(
            subject=node,
            replace={line: lambda updated: updated.with_changes(body=taken.body)},
            before={outer: [source.statement(f"{parts} = [{target.id}]")]},
            after={outer: [source.statement(after)]},
        )


def _piece(call: ast.Call, name: str, file: SourceFile) -> ast.expr:
    """What is put behind the rest in each pass. Raises NotExact for other forms of the call."""
    first = call.args[0] if call.args else None
    if file.name_of(call.func) not in (*_TORCH, "numpy.concatenate"):
        raise NotExact("only `torch.cat` and `np.concatenate` are rewritten")
    if not isinstance(first, (ast.List, ast.Tuple)) or len(first.elts) != 2 or dotted(first.elts[0]) != name:
        raise NotExact("the pieces are not [all so far, the next]")
    others = values_given(call)[1:]
    named = [word.arg for word in call.keywords]
    if len(others) > 1 or not all(is_literal(value, 0) for value in others) or set(named) - {"dim", "axis"}:
        raise NotExact("it is not joined along dimension 0")
    piece = first.elts[1]
    if not isinstance(piece, (ast.Name, ast.Attribute, ast.Call, ast.Subscript)):
        raise NotExact("the piece is not a name, a call or a part of something")
    return piece


def _loop(node: ast.Assign, name: str, file: SourceFile) -> ast.For | ast.While:
    """The outermost loop after the name's first value. Raises NotExact."""
    scope = file.position(node).scope
    bindings = [binding for binding in file.bindings(scope, name) if binding.statement is not node]
    if len(bindings) != 1 or bindings[0].how != "assign" or not isinstance(bindings[0].statement, ast.Assign):
        raise NotExact(f"`{name}` is bound in other places, too")
    value = bindings[0].value
    if not isinstance(value, ast.Call) or file.name_of(value.func) not in _EMPTY:
        raise NotExact(f"`{name}` does not start as an empty tensor or array that this file makes")
    around = [loop.node for loop in file.position(node).loops if not file.holds(loop.node, bindings[0].statement)]
    loop = around[0] if around else None
    if not isinstance(loop, (ast.For, ast.While)) or loop.orelse or bindings[0].order > file.order(loop):
        raise NotExact("the loop is not a plain `for` or `while` after the first value")
    if file.parent(loop) is not file.parent(bindings[0].statement) and not isinstance(file.parent(loop), ast.With):
        raise NotExact("the first value and the loop stand in different blocks")
    return loop


def _check_reads(node: ast.Assign, name: str, loop: LoopNode, file: SourceFile) -> None:
    scope = file.position(node).scope
    start = file.bindings(scope, name)[0].order
    for read in file.within(scope.node, ast.Name):
        if read.id != name or isinstance(read.ctx, ast.Store):
            continue
        is_over = file.order(read) > file.order(loop) and not file.holds(loop, read)
        if start < file.order(read) and not is_over and not file.holds(node, read):
            raise NotExact(f"`{name}` is read before the loop is over, in line {read.lineno}")
        if _function(file.position(read).scope) is not _function(scope):
            raise NotExact(f"`{name}` is read by a function inside this one")
    if any(name in part.names for part in file.all(ast.Global, ast.Nonlocal)):
        raise NotExact(f"`{name}` is shared with another function")
    if any(isinstance(above, (ast.Try, ast.TryStar, ast.AsyncWith)) for above in file.ancestors(loop)):
        raise NotExact("an exception in the loop could be caught, and the name read half filled")


def _function(scope: Scope) -> ast.AST:
    return scope.function or scope.node
