"""A program's syntax tree with a question before each region: was it run as one graph, or do its statements run?

    if __hotloop_region_0__(x, y):
        loss = __hotloop_region_0__.take()
        total += loss.item()          # what was moved behind the graph
    else:
        ...                           # the statements as they stood

All keep their lines, so that tracebacks, debuggers and coverage show the file as it is.
"""

import ast
import copy
from dataclasses import dataclass
from types import CodeType
from typing import TypeVar

from hotloop.compile.loop.find import FoundRegion, find_regions
from hotloop.compile.loop.names import dotted, flow, loads_in, stored_in
from hotloop.compile.loop.refusal import Refusal
from hotloop.compile.loop.statements import paths_of

Node = TypeVar("Node", bound=ast.AST)

MARK = "__hotloop_mark__"
_SEES_ALL_NAMES = frozenset({"locals", "globals", "vars", "exec", "eval", "dir"})


@dataclass(frozen=True, kw_only=True)
class RegionSource:
    """A region as a function in memory: its code, what it is called with, what it gives back, and where it stands."""

    name: str
    file: str
    line: int
    last_line: int
    arguments: tuple[str, ...]
    num_tests: int
    outputs: tuple[str, ...]
    carried: frozenset[str]
    code: CodeType


def rewrite(source: str | bytes, file: str, *, first: int) -> tuple[CodeType | None, list[RegionSource], list[Refusal]]:
    """The code of a file with its regions cut out, numbered from `first`; None for code without any.

    Raises SyntaxError as `compile` does.
    """
    tree = ast.parse(source, file)
    regions, refusals = find_regions(tree, file)
    made: list[RegionSource] = []
    # From the last to the first of a block, so that the positions of the others stay.
    for region in sorted(regions, key=lambda region: -region.first):
        cut = _cut(tree, region, file, f"__hotloop_region_{first + len(made)}__")
        if isinstance(cut, Refusal):
            refusals.append(cut)
        else:
            made.append(cut)
    if not made:
        return None, [], refusals
    ast.fix_missing_locations(tree)
    return compile(tree, file, "exec", dont_inherit=True), made, refusals


def _cut(tree: ast.Module, region: FoundRegion, file: str, name: str) -> RegionSource | Refusal:
    statements, inside = region.statements, region.inside
    line = statements[0].lineno
    if (problem := _scoping_problem(region, inside)) is not None:
        return Refusal(file=file, line=problem[0], reason=problem[1])
    names = flow(inside)
    tests = [n for n in region.tests if n not in region.moved]
    tested = _tests_out(region, tests)
    asked = flow(tested).inputs
    is_local = _local_names(region)
    arguments = sorted(name for name in asked if name in is_local)
    outside = _read_outside(tree, region)
    outputs = sorted(n for n in names.maybe if n in outside or n in asked)
    unsure = [n for n in outputs if n not in names.written and n not in arguments]
    if unsure:
        return Refusal(file=file, line=line, reason=f"{unsure[0]} is written by a part of it that may not run")
    if (name_unsure := _may_be_unbound(region, tree, arguments, tested)) is not None:
        return Refusal(file=file, line=line, reason=f"{name_unsure} may not be bound where the step begins")
    code = _region_code(region, tested, arguments, outputs, file, line)
    question = _question(region, name, arguments, tests, outputs)
    region.block.statements[region.first : region.last + 1] = [question]
    return RegionSource(
        name=name,
        file=file,
        line=line,
        last_line=statements[-1].end_lineno or line,
        arguments=tuple(arguments),
        num_tests=len(tests),
        outputs=tuple(outputs),
        carried=frozenset(outputs) & frozenset(arguments),
        code=code,
    )


def _scoping_problem(region: FoundRegion, inside: list[ast.stmt]) -> tuple[int, str] | None:
    scope = region.block.scope
    if isinstance(scope, ast.ClassDef):
        return inside[0].lineno, "it stands in the body of a class"
    written = flow(inside).maybe
    for node in ast.walk(scope):
        if isinstance(node, (ast.Global, ast.Nonlocal)) and written & set(node.names):
            return node.lineno, f"{', '.join(written & set(node.names))} is declared {type(node).__name__.lower()}"
    for statement in region.statements:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and node.id == "super":
                return node.lineno, "super() is called"
            if isinstance(node, ast.Attribute) and node.attr.startswith("__") and not node.attr.endswith("__"):
                return node.lineno, f"the private name {node.attr} is used"
    return None


def _tests_out(region: FoundRegion, tests: list[int]) -> list[ast.stmt]:
    """Copies of the statements inside, with the answers of tests that are asked before, and marks for those moved."""
    made: list[ast.stmt] = []
    for number, statement in enumerate(region.statements, region.first):
        if number in region.moved:
            marked = [copy.deepcopy(path) for path in paths_of(statement)]
            for path in marked:
                for node in ast.walk(path):
                    if isinstance(node, (ast.Name, ast.Attribute)):
                        node.ctx = ast.Load()
            bound = stored_in([statement])
            marked = [p for p in marked if dotted(p).partition(".")[0] not in bound or isinstance(p, ast.Attribute)]
            continue_with = [ast.Constant(statement.lineno), *_known(marked, made, region)]
            call = ast.Call(ast.Name(MARK, ast.Load()), continue_with, [])
            made.append(_at(ast.Expr(call), statement))
        elif number in tests:
            new = copy.deepcopy(statement)
            assert isinstance(new, ast.If)
            new.test = _at(ast.Name(_test_name(tests.index(number)), ast.Load()), new.test)
            made.append(new)
        else:
            made.append(copy.deepcopy(statement))
    return made


def _known(paths: list[ast.expr], made: list[ast.stmt], region: FoundRegion) -> list[ast.expr]:
    """The paths that begin with a name that the region reads or writes; what others hold is none of its business."""
    used = {name for statement in region.inside for name, _ in loads_in(statement)} | flow(made).maybe
    return [path for path in paths if dotted(path).partition(".")[0] in used]


def _may_be_unbound(region: FoundRegion, tree: ast.Module, arguments: list[str], tested: list[ast.stmt]) -> str | None:
    """An argument that only a branch reads, and that may not be bound where the region is asked."""
    always = flow([s for s in tested if not isinstance(s, (ast.If, ast.For))]).inputs
    scope = region.block.scope
    bound = flow(region.block.statements[: region.first]).written
    if isinstance(scope, ast.FunctionDef):
        bound |= {node.arg for node in ast.walk(scope.args) if isinstance(node, ast.arg)} | flow(scope.body).written
        bound |= region.block.enclosing
    else:
        bound |= flow(tree.body).written
    if isinstance(region.block.owner, ast.For):
        bound |= stored_in([region.block.owner.target])
    return next((name for name in arguments if name not in always and name not in bound), None)


def _test_name(number: int) -> str:
    return f"__hotloop_test_{number}__"


def _local_names(region: FoundRegion) -> set[str]:
    """Names that the region must be given: the function's own, or what the loop of a script writes."""
    scope = region.block.scope
    if isinstance(scope, ast.Module):
        return stored_in([region.block.outermost])
    assert isinstance(scope, ast.FunctionDef)
    arguments = {node.arg for node in ast.walk(scope.args) if isinstance(node, ast.arg)}
    return arguments | stored_in(scope.body) | region.block.enclosing


def _read_outside(tree: ast.Module, region: FoundRegion) -> set[str]:
    """Names that are read anywhere but inside of the region, in the scope that its names belong to."""
    scope = region.block.scope if isinstance(region.block.scope, ast.FunctionDef) else tree
    skipped = frozenset(map(id, region.inside))
    outside = {name for child in ast.iter_child_nodes(scope) for name, _ in loads_in(child, skipped=skipped)}
    return flow(region.inside).maybe if outside & _SEES_ALL_NAMES else outside


def _region_code(
    region: FoundRegion, body: list[ast.stmt], arguments: list[str], outputs: list[str], file: str, line: int
) -> CodeType:
    scope = region.block.scope
    title = scope.name if isinstance(scope, ast.FunctionDef) else "module"
    parameters = [MARK, *[_test_name(n) for n in range(len(_kept_tests(region)))], *arguments]
    returned = ast.Return(ast.Tuple([ast.Name(name, ast.Load()) for name in outputs], ast.Load()))
    last = region.statements[-1]
    function = ast.FunctionDef(
        name=title,
        args=ast.arguments(
            posonlyargs=[], args=[ast.arg(p) for p in parameters], kwonlyargs=[], kw_defaults=[], defaults=[]
        ),
        body=[*body, _at(returned, last)],
        decorator_list=[],
    )
    ast.copy_location(function, region.statements[0])
    module = ast.fix_missing_locations(ast.Module([function], []))
    outer = compile(module, file, "exec", dont_inherit=True)
    code = next(constant for constant in outer.co_consts if isinstance(constant, CodeType))
    return code.replace(co_name="<module>", co_qualname="<module>") if title == "module" else code


def _kept_tests(region: FoundRegion) -> list[int]:
    return [n for n in region.tests if n not in region.moved]


def _question(region: FoundRegion, name: str, arguments: list[str], tests: list[int], outputs: list[str]) -> ast.If:
    first = region.statements[0]
    asked: list[ast.expr] = []
    for number in tests:
        statement = region.block.statements[number]
        assert isinstance(statement, ast.If)
        asked.append(ast.UnaryOp(ast.Not(), ast.UnaryOp(ast.Not(), copy.deepcopy(statement.test))))
    values: list[ast.expr] = [*asked, *[ast.Name(argument, ast.Load()) for argument in arguments]]
    call = ast.Call(ast.Name(name, ast.Load()), values, [])
    taken: ast.expr = ast.Call(ast.Attribute(ast.Name(name, ast.Load()), "take", ast.Load()), [], [])
    target = ast.Tuple([ast.Name(output, ast.Store()) for output in outputs], ast.Store())
    take: ast.stmt = ast.Assign([target], taken) if outputs else ast.Expr(taken)
    done = [_at(take, first), *[copy.deepcopy(statement) for statement in region.after]]
    question = ast.If(test=_at(call, first), body=done, orelse=region.statements)
    return _at(question, first)


def _at(node: Node, place: ast.AST) -> Node:
    """A new node and all below it, at the line of another."""
    for inner in ast.walk(node):
        if not hasattr(inner, "lineno") and "lineno" in inner._attributes:
            ast.copy_location(inner, place)
    return node
