"""ME07: an option that is offered and never read."""

import ast
import re
from collections.abc import Iterable, Iterator

from hotloop.lint.rule import Hit, Page
from hotloop.lint.source_model.arguments import argument, unpacks
from hotloop.lint.source_model.names import dotted, last_name
from hotloop.lint.source_model.source_file import SourceFile

_WHOLE = frozenset({"asdict", "astuple", "vars", "fields", "replace", "model_dump", "signature", "parse_known_args"})
_LOOKS = frozenset({"print", "repr", "str", "isinstance", "type", "len", "pprint", "info", "debug"})
_SETTINGS = re.compile(r"(Config|Args|Arguments|Options|Settings|Params|Parameters|Flags)$")
_READ_BY_OTHERS = frozenset({"version", "help"})


class OptionNeverRead:
    code = "ME07"
    page = Page(
        title="an option that is offered and never read",
        why="Whoever sets it believes that it does something. A penalty that is parsed and never applied has been "
        "reported as an experiment before.",
        cure="Pass it on to what it is meant for, and test that changing it changes the result; or delete it.",
        dynamic="A mutation test: another value must give another result.",
        traps="Only settings (classes called Config, Arguments, Options and the like) of programs are read (files "
        "with `if __name__ == '__main__'`), and only where the settings do not leave the file: no `asdict`, `vars` "
        "or `**`, and no call of imported code with the whole object.",
    )
    nodes: tuple[type[ast.AST], ...] = (ast.Module,)
    calls: frozenset[str] = frozenset()
    hot_only = False

    def check(self, node: ast.AST, file: SourceFile) -> Iterable[Hit]:
        if not _is_program(file) or any(_takes_whole(call) for call in file.calls(*_WHOLE)):
            return
        read = _words_read(file)
        for owner in file.all(ast.ClassDef):
            if _SETTINGS.search(owner.name) and _is_plain_dataclass(owner, file) and not _leaves(owner.name, file):
                for item in owner.body:
                    if (
                        isinstance(item, ast.AnnAssign)
                        and isinstance(item.target, ast.Name)
                        and item.target.id not in read
                    ):
                        yield Hit(item, f"`{owner.name}.{item.target.id}` is set and never read")
        if file.calls("parse_args") and not _leaves("parse_args", file):
            for call in file.calls("add_argument"):
                option = _destination(call)
                if option and option not in read:
                    yield Hit(call, f"the option `{option}` is parsed and never read")


def _is_program(file: SourceFile) -> bool:
    return any(isinstance(item, ast.If) and "__name__" in ast.unparse(item.test) for item in file.tree.body)


def _takes_whole(call: ast.Call) -> bool:
    return last_name(call.func) != "replace" or isinstance(call.func, ast.Name)


def _words_read(file: SourceFile) -> set[str]:
    """Every attribute that is read and every text that could name one."""
    read = {part.attr for part in file.all(ast.Attribute) if isinstance(part.ctx, ast.Load)}
    texts = (part for part in file.all(ast.Constant) if not isinstance(file.parent(part), ast.Expr))
    for part in texts:
        above = file.parent(part)
        defines = isinstance(above, ast.Call) and last_name(above.func) == "add_argument"
        if isinstance(part.value, str) and not defines:
            read.add(part.value)
    return read | {word.attr for pattern in file.all(ast.MatchClass) for word in _patterns(pattern)}


def _patterns(pattern: ast.MatchClass) -> Iterator[ast.Attribute]:
    for name in pattern.kwd_attrs:
        yield ast.Attribute(value=pattern.cls, attr=name, ctx=ast.Load())


def _is_plain_dataclass(owner: ast.ClassDef, file: SourceFile) -> bool:
    made = [decorator.func if isinstance(decorator, ast.Call) else decorator for decorator in owner.decorator_list]
    return [file.name_of(name) for name in made] in (["dataclasses.dataclass"], ["dataclass"]) and not owner.bases


def _leaves(maker: str, file: SourceFile) -> bool:
    """Whether an object that `maker` makes is handed to code outside the file, unpacked, or never made here."""
    names = set(_held(maker, file))
    if not names:
        return True
    own = {node.name for node in file.all(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)}
    for call in file.all(ast.Call):
        if last_name(call.func) in own | _LOOKS and not unpacks(call):
            continue
        given = [*call.args, *(word.value for word in call.keywords)]
        given = [part.value if isinstance(part, ast.Starred) else part for part in given]
        if any(dotted(part) in names or _makes(part, maker) for part in given):
            return True
    inherits = any(dotted(base) == maker for owner in file.all(ast.ClassDef) for base in owner.bases)
    return inherits or any(part.attr == "__dict__" for part in file.all(ast.Attribute))


def _makes(part: ast.expr, maker: str) -> bool:
    return isinstance(part, ast.Call) and last_name(part.func) == maker


def _held(maker: str, file: SourceFile) -> Iterator[str]:
    """Names that hold such an object: assigned from it, annotated with it, or the parameter it is passed for."""
    makers = {maker}
    for function in file.all(ast.FunctionDef):
        returned = [part.value for part in file.within(function) if isinstance(part, ast.Return) and part.value]
        if any(_makes(value, maker) for value in returned):
            makers.add(function.name)
    held: set[str] = set()
    for binding in file.walk.bindings():
        annotated = binding.annotation is not None and maker in ast.unparse(binding.annotation)
        if annotated or (binding.value is not None and any(_makes(binding.value, name) for name in makers)):
            held.add(binding.name)
    functions = {node.name: node for node in file.all(ast.FunctionDef)}
    for call in file.all(ast.Call):
        target = functions.get(last_name(call.func))
        for position, given in enumerate(call.args if target is not None else ()):
            passes = dotted(given) in held or any(_makes(given, name) for name in makers)
            if target is not None and passes and position < len(target.args.args):
                held.add(target.args.args[position].arg)
    yield from held


def _destination(call: ast.Call) -> str:
    """The attribute that an option is stored under; "" where it is not known or the parser reads it itself."""
    action, named = argument(call, "action"), argument(call, "dest")
    if unpacks(call) or (isinstance(action, ast.Constant) and action.value in _READ_BY_OTHERS):
        return ""
    if named is not None:
        return str(named.value) if isinstance(named, ast.Constant) else ""
    flags = [given.value for given in call.args if isinstance(given, ast.Constant) and isinstance(given.value, str)]
    if len(flags) != len(call.args) or not flags:
        return ""
    chosen = next((flag for flag in flags if flag.startswith("--")), flags[0])
    return chosen.lstrip("-").replace("-", "_")
