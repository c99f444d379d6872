"""A region of the running program: its first steps are plain, then it is captured; where a guard fails it is plain."""

import gc
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from types import FrameType, FunctionType
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils import _pytree as pytree

from hotloop.compile.backends import Backend
from hotloop.compile.loop.check import Differs, checked_step
from hotloop.compile.loop.executed import Executed
from hotloop.compile.loop.given import Given
from hotloop.compile.loop.guards import RegionGuards, global_modes, is_usual
from hotloop.compile.loop.interrupts import interrupts
from hotloop.compile.loop.owned_graph import OwnedGraph
from hotloop.compile.loop.python_state import Reached, is_plain
from hotloop.compile.loop.refusal import Refusal
from hotloop.compile.loop.rewrite import RegionSource
from hotloop.compile.loop.variant import Variant, kind_of
from hotloop.compile.update import StateMissing
from hotloop.errors import NotApplicable

_PLAIN_CALLS = 2  # in the last of them it is seen which functions are called; the numbers that vary show in all
_CHECKS = 2
_MOST_VARIANTS = 6
_BEFORE_VARIANT = 3
_LOOKED_AT, _MOST_MISSES = 100, 0.2
_RARE = 0.03
_BETWEEN_COLLECTIONS = 20


@dataclass(kw_only=True)
class RegionCounts:
    """How often a region was met, how often it ran as a graph, and how often guards failed."""

    calls: int = 0
    captured: int = 0
    checked: int = 0
    misses: int = 0
    variants: int = 0


@dataclass(kw_only=True)
class Regions:
    """All regions of this process, what refused, and what says so."""

    all: list["Region"] = field(default_factory=list["Region"])
    refusals: list[Refusal] = field(default_factory=list[Refusal])
    say: Callable[[str], None] = lambda text: None

    @property
    def graph_steps(self) -> int:
        """Steps that graphs have made, in the regions that are still captured; on copies, where they were checked."""
        return sum(r.counts.captured + r.counts.checked for r in self.all if r.refused is None)


class Region:
    """What the rewritten program asks before the statements of a region.

    A call with the answers of the tests and the values of the arguments says whether the step was made; `take` then
    gives what the region has written.
    """

    def __init__(self, source: RegionSource, regions: Regions, *, backend: Backend = "inductor") -> None:
        self.source, self.counts = source, RegionCounts()
        self.refused: Refusal | None = None
        self._regions = regions
        self._backend: Backend = backend
        self._function: FunctionType | None = None
        self._executed: Executed | None = None
        self._seen: tuple[Any, ...] = ()
        self._varying: set[int] = set()
        self._graphs: list[OwnedGraph] = []
        self._next_collection, self._between_collections = 0, _BETWEEN_COLLECTIONS
        self._kinds: Counter[Hashable] = Counter()
        self._result: Any = None
        self._has_paused = False
        self._thread = threading.get_ident()  # in another one, its results could be taken for those of this one
        self._is_busy = False

    def __call__(self, *arguments: Any) -> bool:
        """Whether the step was made here; False lets the statements run."""
        if self.refused is not None or self._is_busy or threading.get_ident() != self._thread:
            return False
        modes = global_modes()
        if sys.gettrace() is not None or not is_usual(modes):
            self._pause()
            return False
        self.counts.calls += 1
        given = self._given(arguments, modes)
        variant = self._fitting(given)
        if variant is not None:
            return self._run(variant, given)
        self._is_busy = True
        try:
            return self._otherwise(given, sys._getframe(1))  # pyright: ignore[reportPrivateUsage]
        except NotApplicable as reason:
            self._refuse(str(reason))
            self._result = getattr(reason, "result", None)
            return isinstance(reason, Differs)
        finally:
            self._is_busy = False

    def take(self) -> Any:
        """What the step has written, in the order of the source's outputs."""
        result, self._result = self._result, None
        return result

    def _run(self, variant: Variant, given: Given) -> bool:
        with interrupts:
            try:
                self._result = variant.run(given)
            except (RuntimeError, IndexError) as error:
                self._explain(error, given)
        self.counts.captured += 1
        return True

    def _explain(self, error: Exception, given: Given) -> None:
        """Raise what the plain statements raise, at their own line; the graph's error where they raise nothing."""
        assert self._function is not None
        self._refuse(f"its graph failed: {str(error).splitlines()[0] if str(error) else type(error).__name__}")
        self._function(_ignore, *given.tests, *given.values)
        raise error

    def _given(self, arguments: tuple[Any, ...], modes: tuple[Hashable, ...]) -> Given:
        tests = arguments[: self.source.num_tests]
        values = arguments[self.source.num_tests :]
        dynamic: list[int] = []
        numbers: list[int] = []
        for number, value in enumerate(values):
            kind = type(value)
            if kind is Tensor or kind is np.ndarray:
                dynamic.append(number)
            elif kind in (float, int):
                if number in self._varying:
                    numbers.append(number)
            elif kind in (tuple, list, dict) and _is_batch(value):
                dynamic.append(number)
        return Given(tests=tests, values=values, numbers=tuple(numbers), dynamic=tuple(dynamic), modes=modes)

    def _otherwise(self, given: Given, frame: FrameType) -> bool:
        """A call that no graph fits: plain, watched, or captured."""
        if self._function is None:
            self._function = FunctionType(self.source.code, frame.f_globals)
        if self.counts.calls <= _PLAIN_CALLS or self._executed is None:
            return self._plain(given)
        if self._is_checked(given):
            return True
        return self._missed(given)

    def _fitting(self, given: Given) -> Variant | None:
        """A graph that may run on its own now."""
        for graph in self._graphs:
            variant = graph.living()
            if variant is not None and not graph.checks_left and variant.fits(given):
                return variant
        return None

    def _is_checked(self, given: Given) -> bool:
        """Whether a graph that fits has been run on copies beside the plain step, which was made."""
        assert self._function is not None
        for graph in self._graphs:
            variant = graph.living()
            if variant is not None and graph.checks_left and variant.fits(given):
                self._result = checked_step(variant, self._function, given)
                graph.checks_left -= 1
                self.counts.checked += 1
                return True
        return False

    def _forget_the_dead(self, given: Given) -> None:
        """Leave out graphs whose optimizer the program has dropped, which Python's collector must have seen."""
        is_for_others = any(graph.is_of_kind(given) for graph in self._graphs)
        if is_for_others and self.counts.calls >= self._next_collection:
            gc.collect()
            # It takes as long as many steps: ever more rarely where guards fail for another reason.
            has_freed = any(graph.living() is None for graph in self._graphs)
            self._between_collections = _BETWEEN_COLLECTIONS if has_freed else 2 * self._between_collections
            self._next_collection = self.counts.calls + self._between_collections
        self._graphs = [graph for graph in self._graphs if graph.living() is not None]

    def _plain(self, given: Given) -> bool:
        self._note_numbers(given)
        if self.counts.calls < _PLAIN_CALLS:
            return False
        if sys.getprofile() is not None:
            self._pause()
            return False
        assert self._function is not None
        self._executed = Executed()
        with self._executed.noted():
            self._result = self._function(_ignore, *given.tests, *given.values)
        return True

    def _note_numbers(self, given: Given) -> None:
        if self._seen:
            for number, (before, now) in enumerate(zip(self._seen, given.values, strict=True)):
                if type(now) in (int, float) and type(before) is type(now) and before != now:
                    self._varying.add(number)
        self._seen = tuple(value if type(value) in (int, float) else None for value in given.values)

    def _missed(self, given: Given) -> bool:
        """No guard holds: the plain statements run; what comes again and again gets a graph of its own."""
        self.counts.misses += 1
        self._forget_the_dead(given)
        seen = len(self._varying)
        self._note_numbers(given)
        key = (given.tests, tuple(kind_of(given.values[n]) for n in given.dynamic))
        self._kinds[key] += 1
        is_first = not self._graphs or len(self._varying) > seen
        is_frequent = self._kinds[key] >= _BEFORE_VARIANT and self._kinds[key] >= _RARE * self.counts.calls
        if (is_first or is_frequent) and len(self._graphs) < _MOST_VARIANTS:
            self._kinds[key] = 0
            return self._capture(given)
        counts = self.counts
        if counts.calls >= _LOOKED_AT and counts.misses > _MOST_MISSES * counts.calls:
            raise NotApplicable(
                f"its guards failed in {counts.misses} of {counts.calls} steps: what it reads changes from step to step"
            )
        return False

    def _capture(self, given: Given) -> bool:
        assert self._function is not None
        assert self._executed is not None
        given = self._given((*given.tests, *given.values), given.modes)
        self._check_history(given)
        executed = Executed(codes=dict(self._executed.codes))
        executed.check_effects()
        names = executed.attribute_names()
        reached = Reached(executed, names)
        for number, name in enumerate(self.source.arguments):
            if number not in given.dynamic and number not in given.numbers:
                reached.value(given.values[number], name)
        for table, name in executed.global_names():
            reached.entry(table, name, name)
        reached.check_closures()
        try:
            again = Executed()
            guards = RegionGuards(reached, names)
            variant = Variant(self._function, given, guards, backend=self._backend, noted=again.noted)
        except StateMissing:
            return False
        except NotApplicable as reason:
            raise NotApplicable(self._with_line(reason)) from reason
        except Exception as error:  # whatever tracing or compiling raises, the program itself can go on
            what = str(error).strip().splitlines()[:1] or ["no details"]
            raise NotApplicable(self._with_line(error, f"{type(error).__name__}: {what[0]}")) from error
        if new := again.new_to(executed):
            self._executed.codes.update(new)
            return False  # other functions are called than before: what they reach is guarded next time
        result = checked_step(variant, self._function, given)
        self._graphs.append(OwnedGraph(variant, checks_left=_CHECKS - 1))
        self.counts.variants += 1
        self.counts.checked += 1
        self._result = result
        return True

    def _check_history(self, given: Given) -> None:
        for number in given.dynamic:
            name = self.source.arguments[number]
            for leaf in pytree.tree_leaves(given.values[number]):
                if (
                    isinstance(leaf, Tensor)
                    and leaf.requires_grad
                    and (leaf.is_leaf or name not in self.source.carried)
                ):
                    raise NotApplicable(f"{name} comes from outside and needs a gradient")

    def _with_line(self, reason: BaseException, text: str = "") -> str:
        """The reason, with the line of the region that was running when it came up."""
        causes = [reason] if reason.__cause__ is None else [reason, reason.__cause__]
        lines = [
            number
            for cause in causes
            for frame, number in traceback.walk_tb(cause.__traceback__)
            if frame.f_code is self.source.code
        ]
        place = lines[-1] if lines else None
        text = text or str(reason)
        return text if place is None else f"at line {place}: {text}"

    def _pause(self) -> None:
        """A debugger, coverage or a mode of torch looks on: the statements run, and it is said once."""
        if not self._has_paused:
            self._has_paused = True
            why = (
                "a debugger or coverage follows it"
                if sys.gettrace() is not None
                else "a mode of torch or a profiler is on"
            )
            self._regions.say(f"{self.source.file}:{self.source.line}: steps run plainly while {why}")

    def _refuse(self, reason: str) -> None:
        self.refused = Refusal(file=self.source.file, line=self.source.line, reason=reason)
        for graph in self._graphs:
            graph.release()
        self._graphs.clear()
        self._regions.refusals.append(self.refused)
        self._regions.say(f"{self.refused}; its steps run plainly")


def _is_batch(value: Any) -> bool:
    """Whether a container holds tensors and plain values, and at least one tensor."""
    leaves = pytree.tree_leaves(value)
    return any(type(leaf) is Tensor for leaf in leaves) and all(
        type(leaf) is Tensor or is_plain(leaf) for leaf in leaves
    )


def _ignore(_line: int, *_values: Any) -> None:
    return
