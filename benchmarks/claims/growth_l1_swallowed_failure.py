"""Growth L1: where a compile failure surfaces, and what an except clause around torch.compile catches."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from benchmarks.claims.evidence import Evidence, digits
from benchmarks.claims.trial import Claim, Judgement, Ruling

PROPOSED = (RuntimeError, NotImplementedError)
Function = Callable[..., Tensor]


def failing_backend(*_: Any) -> Any:
    raise ValueError("this backend compiles nothing")


def full_backend(*_: Any) -> Any:
    raise torch.OutOfMemoryError("no memory while compiling")


class GuardedCompile:
    """`function` compiled; where its compilation fails, one warning names the error and it runs eagerly until `retry`.

    Only the failure of the compiler is caught, at the call where it happens. Running out of memory and the errors of
    `function` itself pass.
    """

    def __init__(self, function: Function, *, backend: Any) -> None:
        self._function, self._backend = function, backend
        self.retry()

    def retry(self) -> None:
        """Compile anew at the next call."""
        torch._dynamo.reset()
        self._compiled: Function = torch.compile(self._function, backend=self._backend)

    def __call__(self, *args: Any) -> Tensor:
        try:
            return self._compiled(*args)
        except torch._dynamo.exc.BackendCompilerFailed as error:
            cause = error.inner_exception
            if isinstance(cause, torch.OutOfMemoryError):
                raise cause from None
            warnings.warn(f"compiling failed with {type(cause).__name__}: {cause}; running eagerly", stacklevel=2)
            self._compiled = self._function
            return self._function(*args)


def double(values: Tensor) -> Tensor:
    return values * 2


def raised(run: Callable[[], object]) -> type[BaseException] | None:
    """The class of what `run` raises; None where it returns."""
    try:
        run()
    except Exception as error:  # noqa: BLE001  # which error comes is what is measured
        return type(error)
    return None


def at_wrap(**options: Any) -> int:
    torch._dynamo.reset()
    return int(raised(lambda: torch.compile(double, **options)) is not None)


def at_first_call(**options: Any) -> type[BaseException] | None:
    torch._dynamo.reset()
    compiled = torch.compile(double, **options)
    return raised(lambda: compiled(torch.ones(3)))


def guarded(backend: Any, calls: int = 3) -> tuple[int, bool]:
    """How many warnings a guarded function gave over some calls, and whether all results were right."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function = GuardedCompile(double, backend=backend)
        results = [function(torch.ones(3)) for _ in range(calls)]
    return len(caught), all(torch.equal(result, torch.full((3,), 2.0)) for result in results)


def counts() -> Mapping[str, float]:
    failure = at_first_call(backend=failing_backend)
    given, right = guarded(failing_backend)
    memory = raised(lambda: GuardedCompile(double, backend=full_backend)(torch.ones(3)))
    found = {
        "unknown mode raises at the wrap": at_wrap(mode="no such mode"),
        "failing backend raises at the wrap": at_wrap(backend=failing_backend),
        "failing backend raises at the first call": int(failure is not None),
        "that error is a RuntimeError": int(failure is not None and issubclass(failure, RuntimeError)),
        "proposed except clause also swallows CUDA out of memory": int(issubclass(torch.OutOfMemoryError, PROPOSED)),
        "guarded first call: warnings in 3 calls": given,
        "guarded first call: results right": int(right),
        "guarded first call: out of memory passes": int(memory is torch.OutOfMemoryError),
    }
    torch._dynamo.reset()
    return found


def judge(seen: Evidence) -> Judgement:
    wrap, first = (seen.count(f"failing backend raises at the {place}") for place in ("wrap", "first call"))
    swallows = seen.count("proposed except clause also swallows CUDA out of memory")
    is_cure = wrap == 1 and swallows == 0
    ruling = Ruling.HOLDS if is_cure else Ruling.HALF if first else Ruling.FAILS
    return Judgement(
        ruling=ruling,
        measured=f"a failing backend raises {digits(wrap)} times at the wrap and {digits(first)} time at the first "
        f"call; the proposed clause {'also swallows' if swallows else 'lets pass'} CUDA out of memory",
        why="Right that nothing may be swallowed, but torch.compile is lazy: the clause stands where compilers never "
        "fail, and out of memory is a RuntimeError. Guard the first call and catch the compiler's own error.",
    )


CLAIM = Claim(
    item="L1",
    title="swallowed compile failure",
    text="The broad except around torch.compile swallows out-of-memory and user errors; catch RuntimeError and "
    "NotImplementedError there, and warn.",
    figure="debugging friction",
    judge=judge,
    counts=counts,
)
