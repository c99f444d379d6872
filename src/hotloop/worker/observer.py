"""Looks at an untimed run step by step: its losses, and what `observed_program` follows.

What two runs of the same program must share, whatever the plan: every tensor moves when it moved before, by as much
and in the same direction; settings are the same; dropout draws. Verification compares what is recorded here.
Watching must change nothing: a run with `losses_only` shows whether it did.
"""

import os
import sys
import traceback
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from typing import Any, NoReturn

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from hotloop.compile.eager_frames import EagerFrames
from hotloop.data.fetching.comparisons import compare_every_batch
from hotloop.transform import Stage
from hotloop.worker.draws import modules_may_draw_apart, settle_draws, silence
from hotloop.worker.losses import Losses
from hotloop.worker.observed_errors import contained
from hotloop.worker.observed_lightly import ObservedLightly
from hotloop.worker.observed_program import ObservedProgram
from hotloop.worker.seeding import seed_program
from hotloop.worker.spec import Channel, ObservationSpec
from hotloop.workloads.started_plan import StartedPlan


class Observer:
    """Callbacks of a watched worker; answers {"event": "watched", ...} after the last step or at the program's end."""

    def __init__(self, channel: Channel, started: StartedPlan, watch: ObservationSpec) -> None:
        self.started = started
        self.steps = 0
        self._channel = channel
        self._watch = watch
        self._process = os.getpid()
        self._losses = Losses()
        self._calls = 0
        settle_draws(watch.draws)
        if started.plan.at(Stage.DATA):
            compare_every_batch()
        self._seeding = seed_program(watch.seed, shift=watch.shift)
        self._program = None
        self._lightly = ObservedLightly(watch)
        self._eager = EagerFrames()
        self._eager.listen()
        self._given_up: list[tuple[int, str]] = []
        if not watch.losses_only:
            hooked = not started.plan.at(Stage.STEP)
            clips = hooked and not started.plan.at(Stage.PROGRAM)  # a captured step calls no function of torch
            self._program = ObservedProgram(watch, steps_are_hooked=hooked, clippings_are_seen=clips, fail=self._fail)
            self._program.follow()
        else:
            self._lightly.follow(self._fail)

    @property
    def is_forked(self) -> bool:
        """Whether this is a child that the program forked; the channel and the steps are its parent's."""
        return os.getpid() != self._process

    def before_training(self) -> None:
        """Nothing: a watched run waits for nobody."""

    def loss(self, value: Tensor) -> None:
        """Keep the loss of the step under way."""
        self._losses.keep(self.steps + 1, value)

    def root(self, module: nn.Module) -> None:
        """Follow a root from before its first call."""
        if self._watch.draws == "silent":
            silence(module)
        if self._program is not None:
            contained(self._program.root, self._fail)(module)

    @contextmanager
    def around_root(self, module: nn.Module, *args: Any, **kwargs: Any) -> Generator[None]:
        """Modules draw from a stream of their own, so that a plan cannot move the program's other draws."""
        apart = modules_may_draw_apart()
        if self._program is not None and not self.is_forked:
            contained(self._program.before_call, self._fail)(module, args, kwargs, trains=apart)
        elif not self.is_forked:
            self._lightly.root_called(module)
        with self._own_stream() if apart else nullcontext():
            yield

    @contextmanager
    def _own_stream(self) -> Generator[None]:
        self._calls += 1
        devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else []
        with torch.random.fork_rng(devices):
            torch.random.default_generator.manual_seed(1_000_003 * (self._watch.stream + 1) + self._calls)
            if torch.cuda.is_available():
                torch.cuda.manual_seed_all(1_000_003 * (self._watch.stream + 1) + self._calls)
            yield

    def step(self, optimizer: Optimizer) -> None:
        """Record what the step did; the last one ends the run."""
        if self.is_forked:
            return
        self.steps += 1
        self._given_up += [(self.steps, told) for told in self._eager.told[len(self._given_up) :]]
        if self._program is not None:
            contained(self._program.step, self._fail)(optimizer)
        is_last = self.steps >= self._watch.steps if self._program is not None else self._lightly.step()
        self._channel.send({"event": "stepped", "steps": self.steps})
        if is_last:
            self._finish()

    def finish(self) -> NoReturn:
        """The program has come to its own end: send what was seen and end the process."""
        if self._program is not None and not self.is_forked:
            contained(self._program.end, self._fail)()
        self._finish(ended=True)

    def _finish(self, *, ended: bool = False) -> NoReturn:
        if self.is_forked:
            os._exit(0)
        self._channel.send(
            {
                "event": "watched",
                "losses": self._losses.each_by_step(self.steps),
                "graphs": _graphs(),
                "seeds_itself": self._seeding.seeds_itself,
                "applied": self.started.applied,
                "refused": self.started.refused,
                "not_applied": self.started.not_applied(),
                "ended": ended,
                "sites_changed": self.started.sites_changed(),
                "phases": self.started.phases,
                "given_up": self._given_up,
                "program": None if self._program is None else self._program.to_data(),
                "lightly": self._lightly.to_data(),
            }
        )
        os._exit(0)

    def _fail(self, error: Exception) -> NoReturn:
        """Send an error of ours, and end the process."""
        text = "".join(traceback.format_exception(error))
        sys.stderr.write(text)
        if not self.is_forked:
            self._channel.send({"event": "watched", "failed": f"{type(error).__name__}: {error}", "traceback": text})
        os._exit(0)


def _graphs() -> int:
    """How many graphs Dynamo has compiled; 0 where nothing loaded it."""
    dynamo = sys.modules.get("torch._dynamo.utils")
    return 0 if dynamo is None else int(dynamo.counters["stats"]["unique_graphs"])
