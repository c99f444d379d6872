"""A compiled step that has to pay for itself: timed against the flat one, which is put back where compiling fails."""

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Literal

import torch
from torch import nn

from hotloop.compile.backends import Backend
from hotloop.errors import NotApplicable
from hotloop.train.stopwatch import Stopwatch
from hotloop.workload import Loss, StepFunction

# Flat updates before compiling, the first ones not timed: enough for a median that a stray delay does not move.
PROBED, _UNTIMED = 12, 4
_LOG = logging.getLogger("hotloop.train")


@dataclass(frozen=True, kw_only=True)
class CompilePayback:
    """Seconds that compiling took and an update takes, flat and compiled; a median and a mean."""

    compile_time_s: float
    flat_update_s: float
    compiled_update_s: float

    @property
    def updates(self) -> int | None:
        """After how many compiled updates the compile time is won back; None where it never is."""
        won = self.flat_update_s - self.compiled_update_s
        return None if won <= 0.0 else -int(-self.compile_time_s // won)

    def sentence(self) -> str:
        """The figures for a person."""
        times = f"{self.flat_update_s * 1e3:.3g} ms flat, {self.compiled_update_s * 1e3:.3g} ms compiled"
        if self.updates is None:
            return f"compiling took {self.compile_time_s:.1f} s and does not pay back: an update takes {times}"
        return f"compiling took {self.compile_time_s:.1f} s and pays back after {self.updates} updates: {times}"


@dataclass(frozen=True, kw_only=True)
class Compilation:
    """What is compiled, forward and backward of the model or the whole step, and by what.

    `at_once` compiles in the first update, and a failure is an error; else some flat updates are timed first.
    """

    what: Literal["model", "step"]
    backend: Backend = "inductor"
    at_once: bool = False

    def model(self, model: nn.Module) -> nn.Module:
        """The model under torch.compile; "aten" runs the traced operations one by one."""
        return torch.compile(model, backend="aot_eager" if self.backend == "aten" else "inductor")  # pyright: ignore


class CompiledStep:
    """A StepFunction: flat for the first updates, which are timed (none where `at_once`), then compiled.

    `prepare` gives the compiled step function; it compiles in its first call. Where that fails, it is raised if
    `at_once`; else one RuntimeWarning says
    so, `fall_back` gives the step function that goes on, and `failure` holds the reason.
    """

    def __init__(
        self,
        flat: StepFunction,
        *,
        prepare: Callable[[], StepFunction],
        fall_back: Callable[[], StepFunction],
        device: torch.device,
        stopwatch: Stopwatch,
        at_once: bool = False,
    ) -> None:
        self._probed, self._at_once = (0 if at_once else PROBED), at_once
        self._step, self._prepare, self._fall_back, self._device = flat, prepare, fall_back, device
        self._mark = stopwatch.mark
        self._flat_times: list[float] = []
        self._calls = 0
        self._compiled_time = 0.0
        self._compiled_calls = 0
        self.compile_time_s = 0.0
        self.failure: str | None = None

    def __call__(self, batch: Any) -> Loss:
        self._calls += 1
        if self._calls <= self._probed:
            began = self._now()
            loss = self._step(batch)
            self._flat_times.append(self._now() - began)
            return loss
        if self._calls == self._probed + 1:
            return self._compile(batch)
        if self.failure is not None:
            return self._step(batch)
        began = perf_counter()
        loss = self._step(batch)
        self._compiled_time += perf_counter() - began
        self._compiled_calls += 1
        self._mark("compiled")
        return loss

    def payback(self) -> CompilePayback | None:
        """The figures of a finished run; None where nothing was compiled, none came before or after it."""
        if self.failure is not None or not self._compiled_calls or not self._flat_times:
            return None
        timed = sorted(self._flat_times[_UNTIMED:])
        payback = CompilePayback(
            compile_time_s=self.compile_time_s,
            flat_update_s=timed[len(timed) // 2],
            compiled_update_s=self._compiled_time / self._compiled_calls,
        )
        _LOG.info("%s", payback.sentence())
        return payback

    def _compile(self, batch: Any) -> Loss:
        began = self._now()
        try:
            self._step = self._prepare()
            loss = self._step(batch)
        except (NotApplicable, RuntimeError, ImportError, OSError) as error:
            if self._at_once:
                raise
            self.failure = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
            warnings.warn(
                f"the step could not be compiled ({self.failure}); training goes on with the flat step, which computes "
                "the same: install a C++ compiler, or leave compile off",
                RuntimeWarning,
                stacklevel=2,
            )
            self._step = self._fall_back()
            loss = self._step(batch)
        self.compile_time_s = self._now() - began
        self._mark("compile")
        return loss

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize()
        return perf_counter()
