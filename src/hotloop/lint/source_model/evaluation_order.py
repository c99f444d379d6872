"""The children of each type of node in the order of evaluation, each with its position; records names on the way."""

import ast
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from hotloop.lint.source_model.expressions import LOADER, dotted, is_usual
from hotloop.lint.source_model.node_types import Comprehension, ForLoop, FunctionDef, ScopeNode
from hotloop.lint.source_model.position import Binding, Branch, How, Loop, Position, Scope

Children = list[tuple[ast.AST, Position]]

_SKIPPED_FIELDS = frozenset({"ctx", "op", "ops", "type_ignores", "type_comment", "kind"})
_NOT_BATCHES = frozenset({"dataset", "datasets", "sampler", "batch_sampler"})


def children_of(node: ast.AST) -> Iterator[ast.AST]:
    """Child nodes as the grammar orders them, without contexts and operators."""
    for field in node._fields:
        if field in _SKIPPED_FIELDS:
            continue
        value = getattr(node, field, None)
        if isinstance(value, ast.AST):
            yield value
        elif isinstance(value, list):
            for item in value:  # pyright: ignore[reportUnknownVariableType]
                if isinstance(item, ast.AST):
                    yield item


def _all(nodes: Iterable[ast.AST | None], position: Position) -> Children:
    return [(node, position) for node in nodes if node is not None]


def _bind(target: ast.AST, position: Position, how: How, value: ast.expr | None, statement: ast.AST) -> None:
    if isinstance(target, ast.Starred):
        _bind(target.value, position, how, value, statement)
    elif isinstance(target, (ast.Tuple, ast.List)):
        inner: How = "for-unpack" if how in ("for", "for-unpack") else "unpack"
        for element in target.elts:
            _bind(element, position, inner, value, statement)
    elif name := dotted(target):
        _record(position, Binding(name, how, value, target, statement))


def _record(position: Position, binding: Binding) -> None:
    scope: Scope | None = position.scope
    if binding.name.startswith("self."):  # attributes belong to the class, whatever method sets them
        while scope is not None and not isinstance(scope.node, ast.ClassDef):
            scope = scope.parent
    (scope or position.scope).bindings.setdefault(binding.name, []).append(binding)


def _name(node: ast.Name, position: Position) -> Children:
    if isinstance(node.ctx, ast.Load):
        position.scope.uses.setdefault(node.id, []).append(node)
    return []


def _assign(node: ast.Assign, position: Position) -> Children:
    for target in node.targets:
        _bind(target, position, "assign", node.value, node)
    return _all([node.value, *node.targets], position)


def _ann_assign(node: ast.AnnAssign, position: Position) -> Children:
    if name := dotted(node.target):
        _record(position, Binding(name, "assign", node.value, node.target, node, node.annotation))
    return _all([node.annotation, node.value, node.target], position)


def _one_target(node: ast.AugAssign | ast.NamedExpr, position: Position) -> Children:
    _bind(node.target, position, "aug" if isinstance(node, ast.AugAssign) else "assign", node.value, node)
    return _all([node.value, node.target], position)


def _with(node: ast.With | ast.AsyncWith, position: Position) -> Children:
    for item in node.items:
        if item.optional_vars is not None:
            _bind(item.optional_vars, position, "with", item.context_expr, node)
    return _all([*node.items, *node.body], position)


def _import(node: ast.Import | ast.ImportFrom, position: Position) -> Children:
    for alias in node.names:
        name = alias.asname or alias.name.partition(".")[0]
        _record(position, Binding(name, "import", None, alias, node))
    return _all(node.names, position)


def _iterates_loader(expression: ast.expr) -> bool:
    """Whether a loader is iterated: by name, or by a call to DataLoader, however wrapped (tqdm, enumerate, range)."""
    pending: list[ast.AST] = [expression]
    while pending:
        node = pending.pop()
        name = dotted(node)
        if name:
            if is_usual(name, LOADER) and not _NOT_BATCHES.intersection(name.split(".")):
                return True
            continue
        if isinstance(node, ast.Call):
            called = dotted(node.func).rpartition(".")[2]
            if called.endswith("DataLoader") or is_usual(called, LOADER):
                return True
            if called in ("items", "values", "keys"):
                continue  # a dict of loaders
        if not isinstance(node, ast.Lambda):
            pending.extend(children_of(node))
    return False


def _for(node: ForLoop, position: Position) -> Children:
    _bind(node.target, position, "for", node.iter, node)
    loop = Loop(node, _iterates_loader(node.iter))
    inside = Position(position.scope, (*position.loops, loop), position.branches)
    return [(node.iter, position), (node.target, inside), *_all(node.body, inside), *_all(node.orelse, position)]


def _while(node: ast.While, position: Position) -> Children:
    inside = Position(position.scope, (*position.loops, Loop(node)), position.branches)
    return [*_all([node.test, *node.body], inside), *_all(node.orelse, position)]


def _comprehension(node: Comprehension, position: Position) -> Children:
    scope = Scope(node, position.scope, position.scope.qualname, position)
    loader = any(_iterates_loader(generator.iter) for generator in node.generators)
    inside = Position(scope, (*position.loops, Loop(node, loader)), position.branches)
    below: Children = []
    for number, generator in enumerate(node.generators):
        _bind(generator.target, inside, "for", generator.iter, node)
        below.append((generator.iter, inside if number else position))
        below += _all([generator.target, *generator.ifs], inside)
    result = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
    return below + _all(result, inside)


def _function(node: FunctionDef | ast.Lambda, position: Position) -> Children:
    if isinstance(node, ast.Lambda):
        outside, body, label = _all([*node.args.defaults, *node.args.kw_defaults], position), [node.body], "<lambda>"
    else:
        _record(position, Binding(node.name, "definition", None, node, node))
        around = [*node.decorator_list, *node.args.defaults, *node.args.kw_defaults, node.returns]
        outside, body, label = _all(around, position), node.body, node.name
    inside = Position(_scope_below(position, node, label))
    arguments = _arguments(node.args, inside)
    return [*outside, *arguments, *_all(body, inside)]


def _arguments(arguments: ast.arguments, inside: Position) -> Children:
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(plain) - len(arguments.defaults)) + list(arguments.defaults)
    pairs = [*zip(plain, defaults, strict=True), *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    for argument, default in pairs:
        _record(inside, Binding(argument.arg, "argument", default, argument, argument, argument.annotation))
    starred = [argument for argument in (arguments.vararg, arguments.kwarg) if argument is not None]
    for argument in starred:
        _record(inside, Binding(argument.arg, "other", None, argument, argument))
    return _all([*(argument for argument, _ in pairs), *starred], inside)


def _class(node: ast.ClassDef, position: Position) -> Children:
    _record(position, Binding(node.name, "definition", None, node, node))
    inside = Position(_scope_below(position, node, node.name))
    return [*_all([*node.decorator_list, *node.bases, *node.keywords], position), *_all(node.body, inside)]


def _scope_below(position: Position, node: ScopeNode, label: str) -> Scope:
    prefix = f"{position.scope.qualname}." if position.scope.qualname else ""
    return Scope(node, position.scope, prefix + label, position)


def _if(node: ast.If, position: Position) -> Children:
    body, orelse = position, position
    if any(isinstance(part, ast.BinOp) and isinstance(part.op, ast.Mod) for part in _conditions(node.test)):
        body = _branch(position, "every")
    elif kind := _leaves(node.body):
        body = _branch(position, kind)
    if kind := _leaves(node.orelse):
        orelse = _branch(position, kind)
    return [(node.test, position), *_all(node.body, body), *_all(node.orelse, orelse)]


def _conditions(test: ast.expr) -> Iterator[ast.AST]:
    """The parts that a test is put together from by and, or, not and comparisons; text formatting is none of them."""
    pending: list[ast.AST] = [test]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant):
            continue  # "%d" % n
        yield node
        if isinstance(node, (ast.BoolOp, ast.UnaryOp, ast.Compare)):
            pending.extend(children_of(node))


def _leaves(body: list[ast.stmt]) -> Any:
    last = {ast.Raise: "raise", ast.Return: "return", ast.Break: "break"}
    return last.get(type(body[-1])) if body else None  # type: ignore[arg-type]


def _branch(position: Position, kind: Any) -> Position:
    return Position(position.scope, position.loops, (*position.branches, Branch(kind, len(position.loops))))


def _handler(node: ast.ExceptHandler, position: Position) -> Children:
    if node.name:
        _record(position, Binding(node.name, "other", None, node, node))
    return [*_all([node.type], position), *_all(node.body, _branch(position, "raise"))]


CHILDREN: dict[type[ast.AST], Callable[[Any, Position], Children]] = {
    ast.Name: _name,
    ast.Constant: lambda _node, _position: [],
    ast.Assign: _assign,
    ast.AnnAssign: _ann_assign,
    ast.AugAssign: _one_target,
    ast.NamedExpr: _one_target,
    ast.With: _with,
    ast.AsyncWith: _with,
    ast.Import: _import,
    ast.ImportFrom: _import,
    ast.For: _for,
    ast.AsyncFor: _for,
    ast.While: _while,
    ast.ListComp: _comprehension,
    ast.SetComp: _comprehension,
    ast.DictComp: _comprehension,
    ast.GeneratorExp: _comprehension,
    ast.FunctionDef: _function,
    ast.AsyncFunctionDef: _function,
    ast.Lambda: _function,
    ast.ClassDef: _class,
    ast.If: _if,
    ast.Raise: lambda node, position: _all([node.exc, node.cause], _branch(position, "raise")),
    ast.Assert: lambda node, position: [(node.test, position), *_all([node.msg], _branch(position, "raise"))],
    ast.ExceptHandler: _handler,
}
