"""DA02: a local list that is used as a queue becomes a deque."""

import ast
from collections.abc import Iterator

import libcst as cst

from hotloop.lint.patches.concrete_source import ConcreteSource
from hotloop.lint.patches.edits import Edits, NotExact
from hotloop.lint.patches.fixer import Fixer
from hotloop.lint.source_model.expressions import dotted, is_literal, is_number_literal, words
from hotloop.lint.source_model.position import Binding
from hotloop.lint.source_model.source_file import SourceFile

_RENAMED = {"pop": "popleft", "insert": "appendleft"}
_SAME_METHODS = frozenset({"append", "extend", "clear", "remove", "count"})
_SAME_FUNCTIONS = words("len sum min max sorted list tuple enumerate reversed any all iter bool zip")
_CHANGES = frozenset({"append", "extend", "clear", "remove", "pop", "insert"})


class ListToDeque(Fixer[ast.Call]):
    """Exact where the function makes the list, keeps it, and only does what a deque does the same way."""

    code = "DA02"
    node = ast.Call
    calls = frozenset({"pop", "insert"})

    def edits(self, node: ast.Call, source: ConcreteSource) -> Edits:
        file = source.file
        assert isinstance(node.func, ast.Attribute)
        if not isinstance(node.func.value, ast.Name):
            raise NotExact("an attribute can be reached from other code, which may need a list")
        name = node.func.value.id
        made = _made(node, name, file)
        value = made.value
        assert value is not None
        edits = Edits(subject=made.statement, imports={("collections", "deque")})
        elements = value.elts if isinstance(value, ast.List) else value.args if isinstance(value, ast.Call) else []
        edits.replace[source.concrete(value, cst.BaseExpression)] = lambda updated: cst.Call(
            func=cst.Name("deque"), args=[cst.Arg(updated)] if elements else []
        )
        for read in _reads(name, node, file):
            call = _renamed(read, file)
            if call is not None:
                edits.replace[source.concrete(call, cst.Call)] = _at_the_left
        return edits


def _made(node: ast.Call, name: str, file: SourceFile) -> Binding:
    """The one binding of the name, to a list written there. Raises NotExact."""
    bindings = file.bindings(file.position(node).scope, name)
    if len(bindings) != 1 or bindings[0].how != "assign" or not isinstance(bindings[0].statement, ast.Assign):
        raise NotExact(f"`{name}` is not made once, in this function, without an annotation")
    value = bindings[0].value
    plain = isinstance(value, ast.List) or (isinstance(value, ast.Call) and dotted(value.func) == "list")
    if not plain or len(bindings[0].statement.targets) != 1:
        raise NotExact(f"`{name}` is not made from a list that is written there")
    if any(name in part.names for part in file.all(ast.Global, ast.Nonlocal)):
        raise NotExact(f"`{name}` is shared with another function")
    if any(binding.name == "deque" and binding.how != "import" for binding in file.all_bindings()):
        raise NotExact("the file calls something else `deque`")
    return bindings[0]


def _at_the_left(updated: cst.Call) -> cst.Call:
    """`x.pop(0)` as `x.popleft()`, `x.insert(0, v)` as `x.appendleft(v)`."""
    func = cst.ensure_type(updated.func, cst.Attribute)
    renamed = func.with_changes(attr=cst.Name(_RENAMED[func.attr.value]))
    return updated.with_changes(func=renamed, args=updated.args[1:])


def _reads(name: str, node: ast.Call, file: SourceFile) -> Iterator[ast.Name]:
    scope = file.position(node).scope
    if isinstance(scope.node, ast.Module):
        raise NotExact(f"`{name}` is a name of the module, which other code can reach")
    for read in file.within(scope.node, ast.Name):
        if read.id == name and isinstance(read.ctx, (ast.Load, ast.Del)):
            if isinstance(read.ctx, ast.Del) or file.position(read).scope is not scope:
                raise NotExact(f"`{name}` is used in a function inside this one, or deleted")
            yield read


def _renamed(read: ast.Name, file: SourceFile) -> ast.Call | None:
    """The call at the left end that a read is for; None where a deque does the same. Raises NotExact for the rest."""
    above = file.parent(read)
    if isinstance(above, ast.Attribute):
        call = file.parent(above)
        if not isinstance(call, ast.Call) or call.func is not above:
            raise NotExact(f"`{read.id}.{above.attr}` is passed on")
        if above.attr in _RENAMED and call.args and is_literal(call.args[0], 0) and not call.keywords:
            return call
        if above.attr in _SAME_METHODS or (above.attr == "pop" and not call.args):
            return None
        raise NotExact(f"a deque has no `{above.attr}` that does the same")
    if _is_same(read, above, file):
        return None
    raise NotExact(f"`{read.id}` is used in a way that may need a list, in line {read.lineno}")


def _is_same(read: ast.Name, above: ast.AST | None, file: SourceFile) -> bool:
    if isinstance(above, ast.Call):
        return read in above.args and dotted(above.func) in _SAME_FUNCTIONS
    if isinstance(above, ast.Subscript):
        return above.value is read and isinstance(above.ctx, ast.Load) and is_number_literal(above.slice)
    if isinstance(above, ast.For):
        changes = (part for part in file.within(above, ast.Attribute) if part.attr in _CHANGES)
        return above.iter is read and not any(dotted(part.value) == read.id for part in changes)
    if isinstance(above, (ast.If, ast.While, ast.IfExp)):
        return above.test is read
    if isinstance(above, ast.Compare):
        return read in above.comparators and all(isinstance(op, (ast.In, ast.NotIn)) for op in above.ops)
    return isinstance(above, ast.UnaryOp) and isinstance(above.op, ast.Not)
