"""What `__getitem__` of a class returns, where all that it does is to index attributes of the data set.

    def __getitem__(self, i):
        return self.images[i], self.labels[i]      # Parts(kind="tuple", parts=(Column("images"), Column("labels")))

Read from the source of the function that runs; whatever else it does is refused with the line.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any, Literal, NoReturn

from hotloop.errors import NotApplicable

_MOST_LINES = 40


@dataclass(frozen=True, kw_only=True)
class Column:
    """`self.attribute[index]`."""

    attribute: str


@dataclass(frozen=True, kw_only=True)
class Parts:
    """A tuple, list or dict of columns; `keys` are those of a dict."""

    kind: Literal["tuple", "list", "dict"]
    parts: tuple["Template", ...]
    keys: tuple[str, ...] = ()


Template = Column | Parts


def template_of(dataset: Any) -> Template:
    """What its samples are made of. Raises NotApplicable where its `__getitem__` does more than to index."""
    kind = type(dataset)
    for name in ("__getattr__", "__getitems__"):
        if hasattr(kind, name) and not (name == "__getattr__" and _is_of_torch(kind.__getattr__)):
            raise NotApplicable(f"{kind.__name__} has a {name} of its own")
    function = inspect.getattr_static(kind, "__getitem__", None)
    if kind.__getattribute__ is not object.__getattribute__ or not isinstance(function, FunctionType):
        raise NotApplicable(f"what {kind.__name__}.__getitem__ does cannot be read")
    return _template(function, kind.__name__)


def _is_of_torch(function: Callable[..., Any]) -> bool:
    return getattr(function, "__module__", "") == "torch.utils.data.dataset"


@lru_cache(maxsize=256)
def _template(function: FunctionType, owner: str) -> Template:
    tree = _parsed(function)
    found = tree.body[0]
    if not isinstance(found, ast.FunctionDef):
        raise NotApplicable(f"what {owner}.__getitem__ does cannot be read")
    names = [argument.arg for argument in found.args.args]
    arguments = found.args
    if len(names) != 2 or arguments.vararg or arguments.kwarg or arguments.kwonlyargs or found.decorator_list:
        raise NotApplicable(f"{owner}.__getitem__ takes more than an index, or is decorated")
    template = _Reader(owner, names[0], names[1], function.__code__.co_firstlineno - found.lineno).read(found)
    if not _is_compiled_from(function.__code__, tree):
        raise NotApplicable(f"the source of {owner}.__getitem__ is not what runs")
    return template


def _parsed(function: FunctionType) -> ast.Module:
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, SyntaxError, TypeError):
        raise NotApplicable(f"the source of {function.__qualname__} cannot be read") from None


def _is_compiled_from(code: CodeType, tree: ast.Module) -> bool:
    module = compile(tree, code.co_filename, "exec", dont_inherit=True)
    found = next((one for one in module.co_consts if isinstance(one, CodeType)), None)
    return found is not None and (found.co_code, found.co_names, found.co_varnames) == (
        code.co_code,
        code.co_names,
        code.co_varnames,
    )


class _Reader:
    """Reads the body of one `__getitem__`, whose two arguments have these names."""

    def __init__(self, owner: str, dataset: str, index: str, lines_before: int) -> None:
        self._owner, self._dataset, self._index, self._lines_before = owner, dataset, index, lines_before
        self._locals: dict[str, Template] = {}

    def read(self, function: ast.FunctionDef) -> Template:
        """The template of what is returned."""
        body = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
        for statement in body:
            match statement:
                case ast.Return(value=ast.expr() as value):
                    return self._template(value)
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if name not in (self._dataset, self._index):
                    self._locals[name] = self._template(value)
                case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)) if len(names) == len(
                    values
                ):
                    self._assign(names, [self._template(value) for value in values])
                case _:
                    self._refuse(statement)
        raise NotApplicable(f"{self._owner}.__getitem__ returns nothing")

    def _assign(self, names: list[ast.expr], values: list[Template]) -> None:
        for name, value in zip(names, values, strict=True):
            if isinstance(name, ast.Name) and name.id not in (self._dataset, self._index):
                self._locals[name.id] = value
            else:
                self._refuse(name)

    def _template(self, value: ast.expr) -> Template:
        match value:
            case ast.Subscript(
                value=ast.Attribute(value=ast.Name(id=owner), attr=attribute), slice=ast.Name(id=index)
            ) if owner == self._dataset and index == self._index:
                return Column(attribute=attribute)
            case ast.Name(id=name) if name in self._locals:
                return self._locals[name]
            case ast.Tuple(elts=parts) if parts:
                return Parts(kind="tuple", parts=tuple(map(self._template, parts)))
            case ast.List(elts=parts) if parts:
                return Parts(kind="list", parts=tuple(map(self._template, parts)))
            case ast.Dict(keys=keys, values=parts) if parts:
                names = tuple(key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str))
                if len(set(names)) == len(parts):
                    return Parts(kind="dict", parts=tuple(map(self._template, parts)), keys=names)
            case _:
                pass
        self._refuse(value)

    def _refuse(self, node: ast.stmt | ast.expr) -> NoReturn:
        line = node.lineno + self._lines_before
        text = ast.unparse(node).splitlines()[0][:_MOST_LINES]
        raise NotApplicable(f"{self._owner}.__getitem__ does more than to index its attributes (line {line}: {text})")


def attributes_of(template: Template) -> tuple[str, ...]:
    """The attributes that it names, in order."""
    if isinstance(template, Column):
        return (template.attribute,)
    return tuple(name for part in template.parts for name in attributes_of(part))


def filled(template: Template, batch: Mapping[str, Any]) -> Any:
    """The batch that `default_collate` makes of samples of this template: tuples become lists."""
    if isinstance(template, Column):
        return batch[template.attribute]
    parts = [filled(part, batch) for part in template.parts]
    return dict(zip(template.keys, parts, strict=True)) if template.kind == "dict" else parts
