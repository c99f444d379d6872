"""CO04: a compiled path that nothing reaches."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.compile_calls import compile_calls
from hotloop.lint.source_model.definitions import is_program
from hotloop.lint.source_model.node_types import FunctionDef


class UnreachableCompile(Rule[ast.Module]):
    code = "CO04"
    doc = RuleDoc(
        title="a compiled path that is never reached",
        why="The code that compiles has no caller, or its result no use: the program runs eagerly.",
        cure="Call it, or remove it.",
        at_runtime="No compile counter moves, and the compiled object is never called, in `hotloop diagnose`.",
        not_reported="Only what no other file can name is judged: local variables, private methods of classes without "
        "other bases, and private functions of scripts. A name that occurs in a string (`getattr`) counts as used.",
    )
    nodes = (ast.Module,)

    def check(self, node: ast.Module, file: SourceFile) -> Violations:
        compiles = compile_calls(file)
        mentioned = _mentioned(file) if compiles else set[str]()
        for call in compiles:
            function = file.position(call).scope.function
            if function is None:
                continue
            if function.name not in mentioned and _nobody_else_calls(function, file):
                yield Violation(call, f"compiles in `{function.name}`, which nothing calls")
            elif (name := _local_name(call, function, file)) and name not in mentioned:
                yield Violation(call, f"compiles into `{name}`, which nothing uses")


def _mentioned(file: SourceFile) -> set[str]:
    """Every name that is read, as a name, an attribute or a string."""
    names = {name.id for name in file.all(ast.Name) if isinstance(name.ctx, ast.Load)}
    names |= {attribute.attr for attribute in file.all(ast.Attribute) if isinstance(attribute.ctx, ast.Load)}
    strings = {constant.value for constant in file.all(ast.Constant) if isinstance(constant.value, str)}
    return names | strings


def _nobody_else_calls(function: FunctionDef, file: SourceFile) -> bool:
    """Whether no other file can call a function: private, not decorated, and no hook of a base or of a library."""
    if not function.name.startswith("_") or function.name.startswith("__") or function.decorator_list:
        return False
    owner = file.position(function).scope.node
    if isinstance(owner, ast.ClassDef):
        return all(file.name_of(base) in ("object", "torch.nn.Module") for base in owner.bases)
    return isinstance(owner, FunctionDef) or is_program(file)


def _local_name(call: ast.Call, function: ast.AST, file: SourceFile) -> str:
    statement = file.statement(call)
    if not isinstance(statement, ast.Assign) or statement.value is not call or len(statement.targets) != 1:
        return ""
    target = statement.targets[0]
    if not isinstance(target, ast.Name):
        return ""
    shared = any(target.id in part.names for part in file.within(function, ast.Global, ast.Nonlocal))
    return "" if shared else target.id
