"""ME07: an option that is offered and never read."""

import ast
import re

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.definitions import decorators, is_program
from hotloop.lint.source_model.expressions import argument, dotted, last_name, unpacks, values_given

_WHOLE = frozenset({"asdict", "astuple", "vars", "fields", "model_dump", "signature", "parse_known_args"})
_LOOKS = frozenset({"print", "repr", "str", "isinstance", "type", "len", "pprint", "info", "debug"})
_SETTINGS = re.compile(r"(Config|Args|Arguments|Options|Settings|Params|Parameters|Flags)$")
_READ_BY_OTHERS = frozenset({"version", "help"})


class OptionNeverRead(Rule[ast.Module]):
    code = "ME07"
    doc = RuleDoc(
        title="an option that is offered and never read",
        why="Who sets it believes in it: a penalty parsed and never applied has been reported as an experiment.",
        cure="Pass it on to what it is meant for, and test that changing it changes the result; or delete it.",
        at_runtime="A mutation test: another value must give another result.",
        not_reported="Only settings (classes called Config, Arguments, Options and the like) of programs are read "
        "(files with `if __name__ == '__main__'`), and only where the settings do not leave the file: no `asdict`, "
        "`vars` or `**`, and no call of imported code with the whole object.",
    )
    nodes = (ast.Module,)

    def check(self, node: ast.Module, file: SourceFile) -> Violations:
        replaces = any(isinstance(call.func, ast.Name) for call in file.calls("replace"))  # not text.replace()
        if not is_program(file) or replaces or file.calls(*_WHOLE):
            return
        read = _names_read(file)
        for owner in file.all(ast.ClassDef):
            made = [name for _, name in decorators(owner, file)]
            plain = made in (["dataclasses.dataclass"], ["dataclass"]) and not owner.bases
            if plain and _SETTINGS.search(owner.name) and not _leaves(owner.name, file):
                for item in owner.body:
                    name = dotted(item.target) if isinstance(item, ast.AnnAssign) else ""
                    if name and name not in read:
                        yield Violation(item, f"`{owner.name}.{name}` is set and never read")
        if file.calls("parse_args") and not _leaves("parse_args", file):
            for call in file.calls("add_argument"):
                option = _destination(call)
                if option and option not in read:
                    yield Violation(call, f"the option `{option}` is parsed and never read")


def _names_read(file: SourceFile) -> set[str]:
    """Every attribute that is read or matched, and every text that could name one."""
    read = {part.attr for part in file.all(ast.Attribute) if isinstance(part.ctx, ast.Load)}
    for part in file.all(ast.Constant):
        above = file.parent(part)
        defines = isinstance(above, ast.Call) and last_name(above.func) == "add_argument"
        if isinstance(part.value, str) and not defines and not isinstance(above, ast.Expr):
            read.add(part.value)
    return read.union(*(pattern.kwd_attrs for pattern in file.all(ast.MatchClass)))


def _leaves(maker: str, file: SourceFile) -> bool:
    """Whether an object that `maker` makes is passed to code outside the file, unpacked, or never made here."""
    names = _held(maker, file)
    if not names:
        return True
    own = {node.name for node in file.all(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)}
    for call in file.all(ast.Call):
        if last_name(call.func) in own | _LOOKS and not unpacks(call):
            continue
        given = [part.value if isinstance(part, ast.Starred) else part for part in values_given(call)]
        if any(dotted(part) in names or _makes(part, maker) for part in given):
            return True
    inherits = any(dotted(base) == maker for owner in file.all(ast.ClassDef) for base in owner.bases)
    return inherits or any(part.attr == "__dict__" for part in file.all(ast.Attribute))


def _makes(part: ast.expr | None, *makers: str) -> bool:
    return isinstance(part, ast.Call) and last_name(part.func) in makers


def _held(maker: str, file: SourceFile) -> set[str]:
    """Names that hold such an object: assigned from it, annotated with it, or the parameter it is passed for."""
    functions = {node.name: node for node in file.all(ast.FunctionDef)}
    makers = [maker]
    for function in file.all(ast.FunctionDef):
        if any(_makes(part.value, maker) for part in file.within(function, ast.Return)):
            makers.append(function.name)
    held: set[str] = set()
    for binding in file.all_bindings():
        annotated = binding.annotation is not None and maker in ast.unparse(binding.annotation)
        if annotated or _makes(binding.value, *makers):
            held.add(binding.name)
    for call in file.all(ast.Call):
        target = functions.get(last_name(call.func))
        parameters = target.args.args if target is not None else []
        for given, parameter in zip(call.args, parameters, strict=False):
            if dotted(given) in held or _makes(given, *makers):
                held.add(parameter.arg)
    return held


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
