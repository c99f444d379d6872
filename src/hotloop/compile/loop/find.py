"""Finds the steps in a program's source: for each block that differentiates and steps, the statements of its region."""

import ast
import builtins
from collections.abc import Iterator
from dataclasses import dataclass, field

from hotloop.compile.loop.module_facts import ModuleFacts
from hotloop.compile.loop.names import calls_in, dotted, flow, loads_in, stored_in
from hotloop.compile.loop.refusal import Refusal
from hotloop.compile.loop.statements import (
    is_asked_before,
    is_backward,
    is_clipping,
    is_zeroing,
    paths_of,
    why_not,
)

_DATA_CALLS = frozenset(
    [
        "tensor",
        "as_tensor",
        "from_numpy",
        "stack",
        "load",
        "randint",
        "randperm",
        "randint_like",
        "multinomial",
        "sample",
        "FloatTensor",
        "LongTensor",
    ]
)
_TENSOR_ROOTS = frozenset({"torch", "F", "nn"})
_TENSOR_METHODS = frozenset(
    [
        "view",
        "reshape",
        "flatten",
        "to",
        "float",
        "long",
        "double",
        "half",
        "squeeze",
        "unsqueeze",
        "permute",
        "transpose",
        "contiguous",
        "detach",
        "clone",
        "size",
        "mean",
        "sum",
        "std",
        "type_as",
        "expand",
        "repeat",
        "masked_fill",
    ]
)


@dataclass(kw_only=True)
class StepBlock:
    """A list of statements that runs again and again: where it stands, and the function that it belongs to."""

    owner: ast.AST
    attribute: str
    scope: ast.AST
    outermost: ast.AST
    enclosing: frozenset[str] = frozenset()

    @property
    def statements(self) -> list[ast.stmt]:
        """The statements, as they stand in the tree."""
        return getattr(self.owner, self.attribute)


@dataclass(kw_only=True)
class FoundRegion:
    """Statements `first` to `last` of a block, of which those of `moved` come after the graph."""

    block: StepBlock
    first: int
    last: int
    moved: frozenset[int] = frozenset()
    tests: list[int] = field(default_factory=list[int])

    @property
    def statements(self) -> list[ast.stmt]:
        """All of them, in their order."""
        return self.block.statements[self.first : self.last + 1]

    @property
    def inside(self) -> list[ast.stmt]:
        """Those that the graph does."""
        return [s for n, s in enumerate(self.statements, self.first) if n not in self.moved]

    @property
    def after(self) -> list[ast.stmt]:
        """Those that read the host, and are run after the graph."""
        return [s for n, s in enumerate(self.statements, self.first) if n in self.moved]


def find_regions(tree: ast.Module, file: str) -> tuple[list[FoundRegion], list[Refusal]]:
    """The regions of a file, and the blocks that step an optimizer without one, each with line and reason."""
    facts = ModuleFacts(tree)
    regions: list[FoundRegion] = []
    refusals: list[Refusal] = []
    for block in _blocks(tree, facts):
        found = _BlockSearch(block, facts, file).regions()
        if isinstance(found, Refusal):
            refusals.append(found)
        else:
            regions += found
    return regions, refusals


def _blocks(tree: ast.Module, facts: ModuleFacts) -> Iterator[StepBlock]:
    """The smallest lists of statements that both differentiate and step, inside of a loop or a function."""

    return _blocks_in(tree, facts, scope=tree, outermost=None, outer=frozenset())


def _blocks_in(
    owner: ast.AST, facts: ModuleFacts, *, scope: ast.AST, outermost: ast.AST | None, outer: frozenset[str]
) -> Iterator[StepBlock]:
    for attribute in ("body", "orelse", "finalbody"):
        statements = getattr(owner, attribute, None)
        if not isinstance(statements, list):
            continue
        if outermost is not None and _is_step(statements, facts):
            yield StepBlock(owner=owner, attribute=attribute, scope=scope, outermost=outermost, enclosing=outer)
        for statement in statements:
            yield from _blocks_below(statement, facts, scope=scope, outermost=outermost, outer=outer)
    for handler in getattr(owner, "handlers", ()):
        yield from _blocks_in(handler, facts, scope=scope, outermost=outermost, outer=outer)


def _is_step(statements: list[ast.stmt], facts: ModuleFacts) -> bool:
    """Whether statements differentiate and step, and none of them does both."""
    backward = [_has(s, is_backward) for s in statements]
    steps = [_has(s, facts.is_step) for s in statements]
    return any(backward) and any(steps) and not any(b and s for b, s in zip(backward, steps, strict=True))


def _blocks_below(
    statement: ast.stmt, facts: ModuleFacts, *, scope: ast.AST, outermost: ast.AST | None, outer: frozenset[str]
) -> Iterator[StepBlock]:
    match statement:
        case ast.FunctionDef():
            known = outer | _locals_of(scope)
            yield from _blocks_in(statement, facts, scope=statement, outermost=statement, outer=known)
        case ast.ClassDef():
            known = outer | _locals_of(scope)
            yield from _blocks_in(statement, facts, scope=statement, outermost=None, outer=known)
        case ast.For() | ast.While():
            yield from _blocks_in(statement, facts, scope=scope, outermost=outermost or statement, outer=outer)
        case ast.If() | ast.With() | ast.Try():
            yield from _blocks_in(statement, facts, scope=scope, outermost=outermost, outer=outer)
        case _:
            return


def _locals_of(scope: ast.AST) -> frozenset[str]:
    """Names of a function that functions inside of it can read."""
    if not isinstance(scope, ast.FunctionDef):
        return frozenset()
    arguments = {node.arg for node in ast.walk(scope.args) if isinstance(node, ast.arg)}
    return frozenset(arguments | stored_in(scope.body))


def _has(node: ast.AST, test: object) -> bool:
    return any(test(call) for call in calls_in(node)) if callable(test) else False


class _BlockSearch:
    """Cuts the regions out of one block."""

    def __init__(self, block: StepBlock, facts: ModuleFacts, file: str) -> None:
        self._block, self._facts, self._file = block, facts, file
        self._statements = block.statements

    def regions(self) -> list[FoundRegion] | Refusal:
        """The regions, or why there is none."""
        statements = self._statements
        backward = [n for n, s in enumerate(statements) if _has(s, is_backward)]
        steps = [n for n, s in enumerate(statements) if _has(s, self._facts.is_step)]
        last = max(n for n, s in enumerate(statements) if self._is_essential(s))
        first, stopper = self._walk_back(backward[0])
        found: list[FoundRegion] = []
        reason = stopper
        while first <= last:
            end, blocked, moved = self._run(first, last)
            has_step = any(first <= n <= end for n in steps) and any(first <= n <= end for n in backward)
            if has_step:
                cut = max(n for n in range(first, end + 1) if self._is_essential(statements[n]))
                start = self._start(first, cut, moved)
                if start is None:
                    return self._refusal(stopper, otherwise=(backward[0], "no module is called before it"))
                cut = self._further(cut) if end == last else cut
                found.append(self._region(start, cut, frozenset(n for n in moved if start < n < cut)))
            reason = blocked or reason
            first = end + 2
        return found or self._refusal(reason, otherwise=(backward[0], "its step cannot be cut out"))

    def _refusal(self, stopper: tuple[int, str] | None, *, otherwise: tuple[int, str]) -> Refusal:
        """By the statement that stops, or by one that could not be helped by moving it."""
        if stopper is None:
            return Refusal(file=self._file, line=self._statements[otherwise[0]].lineno, reason=otherwise[1])
        reason = f"between the call of the model and the step: {stopper[1]}"
        return Refusal(file=self._file, line=stopper[0], reason=reason, is_edit=True)

    def _is_essential(self, statement: ast.stmt) -> bool:
        tests = (is_backward, is_zeroing, is_clipping, self._facts.is_step)
        return any(_has(statement, test) for test in tests)

    def _walk_back(self, backward: int) -> tuple[int, tuple[int, str] | None]:
        """The earliest statement from which all up to `backward` may be inside, and what stands before it."""
        for number in range(backward - 1, -1, -1):
            found = why_not(self._statements[number], fresh=self._fresh(number))
            if found and not self._may_move(number, backward):
                return number + 1, found
        return 0, None

    def _fresh(self, number: int) -> frozenset[str]:
        return frozenset(stored_in(self._statements[:number]))

    def _run(self, first: int, last: int) -> tuple[int, tuple[int, str] | None, list[int]]:
        """The last statement up to which all may be inside or moved behind; what stands after it; what is moved."""
        moved: list[int] = []
        for number in range(first, last + 1):
            fresh = frozenset(stored_in(self._statements[first:number]))
            found = why_not(self._statements[number], fresh=fresh)
            if found is None:
                continue
            if not self._may_move(number, last):
                return number - 1, found, moved
            moved.append(number)
        return last, None, moved

    def _may_move(self, number: int, last: int) -> bool:
        """Whether a statement may come after those that follow it: nothing it reads or writes is theirs.

        What its objects hold then is looked at when the region is traced.
        """
        statement = self._statements[number]
        if not isinstance(statement, (ast.Expr, ast.Assign, ast.AugAssign, ast.If, ast.With)) or _leaves(statement):
            return False
        if self._is_essential(statement) or any(map(_is_unknown, calls_in(statement))):
            return False
        later = self._statements[number + 1 : last + 1]
        reads = {name for name, _ in loads_in(statement)}
        writes = stored_in([statement])
        later_reads = {name for s in later for name, _ in loads_in(s)}
        later_paths = {dotted(path) for s in later for path in paths_of(s)}
        touched = {dotted(path) for path in paths_of(statement)} & later_paths
        changed = {path for path in touched if _may_change(path, later)}
        is_read_later = any(_holds(stored, path) for stored in _stored_paths(statement) for path in later_paths)
        return not (reads & stored_in(later) or writes & (later_reads | stored_in(later)) or changed or is_read_later)

    def _start(self, first: int, cut: int, moved: list[int]) -> int | None:
        """The first statement that belongs to the step: that calls a module or zeroes, and tensors before it."""
        facts = self._facts
        numbers = [n for n in range(first, cut + 1) if n not in moved]
        backward = next(n for n in numbers if _has(self._statements[n], is_backward))
        calls = [n for n in numbers if n <= backward and _has(self._statements[n], facts.is_module_call)]
        if not calls:
            return None
        start = next(n for n in numbers if n in calls or _has(self._statements[n], is_zeroing))
        if start < calls[0] and any(not self._is_tensor_work(n) for n in range(start + 1, calls[0])):
            start = calls[0] if self._may_zero_outside(start, calls[0]) else start
        while start - 1 in numbers and self._is_tensor_work(start - 1):
            start -= 1
        return start

    def _may_zero_outside(self, start: int, call: int) -> bool:
        return all(_has(self._statements[n], is_zeroing) or not self._is_essential(self._statements[n])
                   for n in range(start, call))  # fmt: skip

    def _is_tensor_work(self, number: int) -> bool:
        """Whether all that a statement calls are functions and methods of tensors that a graph may do."""
        statement = self._statements[number]
        calls = list(calls_in(statement))
        if not isinstance(statement, ast.Assign) or not calls:
            return False
        for call in calls:
            path = dotted(call.func)
            name = call.func.attr if isinstance(call.func, ast.Attribute) else path
            is_torch = path.partition(".")[0] in _TENSOR_ROOTS and name not in _DATA_CALLS
            if not (is_torch or (isinstance(call.func, ast.Attribute) and name in _TENSOR_METHODS)):
                return False
        return True

    def _further(self, cut: int) -> int:
        """A following average of weights: loops over parameters right behind the step."""
        number = cut + 1
        while number < len(self._statements):
            statement = self._statements[number]
            inner = statement.body[0] if isinstance(statement, ast.With) else statement
            is_average = isinstance(inner, ast.For) and "parameters()" in ast.unparse(inner.iter)
            if not is_average or why_not(statement, fresh=frozenset()):
                break
            number += 1
        return number - 1

    def _region(self, first: int, last: int, moved: frozenset[int]) -> FoundRegion:
        written: set[str] = set()
        tests: list[int] = []
        for number in range(first, last + 1):
            statement = self._statements[number]
            if number not in moved:
                if isinstance(statement, ast.If) and is_asked_before(statement.test, written):
                    tests.append(number)
                written |= flow([statement]).maybe
        return FoundRegion(block=self._block, first=first, last=last, moved=moved, tests=tests)


def _stored_paths(statement: ast.stmt) -> set[str]:
    """`self.loss` of `self.loss = ...`, `table` of `table[0] = ...`."""
    stores = (node for node in ast.walk(statement) if isinstance(getattr(node, "ctx", None), ast.Store))
    return {
        dotted(node.value) if isinstance(node, ast.Subscript) else dotted(node)
        for node in stores
        if isinstance(node, (ast.Attribute, ast.Subscript))
    }


def _holds(stored: str, path: str) -> bool:
    """Whether what a path reads may be, or be a part of, what was stored; "" is stored who knows where."""
    return not stored or path == stored or path.startswith(f"{stored}.")


def _leaves(statement: ast.stmt) -> bool:
    kinds = (ast.Break, ast.Continue, ast.Return, ast.Raise, ast.Yield, ast.YieldFrom, ast.Await, ast.Assert)
    return any(isinstance(node, (*kinds, ast.NamedExpr)) for node in ast.walk(statement))


def _is_unknown(call: ast.Call) -> bool:
    """A call of a function of the program's own, which may read anything, when it is asked to read later."""
    return isinstance(call.func, ast.Name) and not hasattr(builtins, call.func.id)


def _may_change(path: str, later: list[ast.stmt]) -> bool:
    """Whether statements may change in place what a path holds: by a method that ends in an underscore or a store."""
    for statement in later:
        for node in ast.walk(statement):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                method = node.func.attr
                if dotted(node.func.value) == path and (method.endswith("_") or method in ("step", "zero_grad")):
                    return True
            if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store) and dotted(node.value) == path:
                return True
    return False
