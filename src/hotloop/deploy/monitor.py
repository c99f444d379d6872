"""Watches a real training run under a plan and says what the proof did not promise; it stops only a strict run."""

import statistics
import sys
import time

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from hotloop.compile.eager_frames import EagerFrames
from hotloop.deploy.spot_check import SpotChecks
from hotloop.workloads.started_plan import StartedPlan

_CHECK_EVERY = 100
_WARMUP_STEPS = 10
_MANY_GRAPHS = 4
_SLOWER = 1.25


class TrainingMonitor:
    """Reports on stderr, at any step: transforms that did not apply, many recompiles, the recompile limit, frames that
    run eagerly, losses that are not finite, slower steps.

    Costs two clock reads and two small operations a step; the device is read once in a hundred steps.
    `proven_step` is the slowest step time, in seconds, that the proof allows for. Where it `is_strict`, the program
    ends with exit code 1 when outputs disagree, what was compiled no longer is, or two hundred steps are too slow.
    """

    def __init__(self, started: StartedPlan, *, proven_step: float | None, is_strict: bool = False) -> None:
        self._started = started
        self._proven_step = proven_step
        self._is_strict = is_strict
        self._checks = SpotChecks(started.plan, self._disagreement)
        self._times: list[float] = []
        self._last = time.perf_counter()
        self._steps = 0
        self._bad: Tensor | None = None
        self._graphs = 0
        self._eager = EagerFrames()
        self._eager.listen()
        self._slow_checks = 0
        self._said: set[str] = set()
        self._is_closed = False

    def before_training(self) -> None:
        """Nothing to do."""

    def root(self, module: nn.Module) -> None:
        """Let its outputs under the plan be compared with the plain ones now and then."""
        self._checks.follow(module)

    def _disagreement(self, problem: str) -> None:
        self._say(problem.partition(":")[0], f"step {self._steps + 1}: {problem}")
        self._stop()

    def _stop(self) -> None:
        if self._is_strict and not self._is_closed:
            sys.exit(1)

    def loss(self, value: Tensor) -> None:
        """Count losses that are not finite, on their device."""
        bad = (~torch.isfinite(value)).any()
        self._bad = bad if self._bad is None else self._bad.to(bad.device) | bad

    def step(self, optimizer: Optimizer) -> None:
        """Keep the time; check everything after ten steps and then after every hundred."""
        now = time.perf_counter()
        self._times.append(now - self._last)
        self._last = now
        self._steps += 1
        if self._eager.told:
            self._tell_eager()
        if self._steps == _WARMUP_STEPS or self._steps % _CHECK_EVERY == 0:
            self._check()
            self._last = time.perf_counter()

    def close(self) -> None:
        """Check once more and sum up the run in one line."""
        self._is_closed = True
        self._eager.close()
        self._tell_eager()
        self._check()
        typical = 1e3 * statistics.median(self._times) if self._times else 0.0
        line = f"{self._steps} steps under {self._started.plan.title}, the last ones {typical:.2f} ms each"
        changed = ", ".join(f"{name} on {sites}" for name, sites in self._started.sites_changed().items())
        self._say("end", "; ".join(filter(None, [line, changed, self._checked()])))

    def _checked(self) -> str:
        """What the spot checks came to; nothing where the plan acts on no module."""
        checks = self._checks
        if not checks.made and not checks.skipped:
            return ""
        skipped = "".join(f", {count} not made: {reason}" for reason, count in checks.skipped.items())
        return f"{checks.made} spot checks in {checks.share:.1%} of the time, {checks.failed} failed{skipped}"

    def _check(self) -> None:
        self._check_plan()
        self._check_graphs()
        if self._bad is not None and bool(self._bad):
            self._say("finite", f"a loss was not finite within the first {self._steps} steps")
        if self._steps >= _CHECK_EVERY:
            self._check_speed()
        del self._times[:-_CHECK_EVERY]

    def _check_plan(self) -> None:
        for name, reason in self._started.not_applied().items():
            self._say(name, f"{name} of the plan does not apply: {reason}")
        for name, reason in self._started.refused.items():
            if self._started.applied[name]:
                self._say(f"partly {name}", f"{name} of the plan does not apply everywhere: {reason}")

    def _tell_eager(self) -> None:
        """What Dynamo gave up since the last step; each once."""
        told, self._eager.told = self._eager.told, []
        for line in told:
            self._say(line, f"step {self._steps}: {line}")
        if told:
            self._stop()

    def _check_graphs(self) -> None:
        dynamo = sys.modules.get("torch._dynamo.utils")
        if dynamo is None:
            return
        skipped = self._eager.newly_skipped()
        if self._steps > _WARMUP_STEPS and skipped > 0:
            self._say("skipped", f"step {self._steps}: {skipped} new frames were not compiled and run eagerly")
        graphs = dynamo.counters["stats"]["unique_graphs"]
        if self._steps > _WARMUP_STEPS and graphs - self._graphs >= _MANY_GRAPHS:
            self._say(
                "storm", f"recompile storm: {graphs - self._graphs} graphs were compiled after step {_WARMUP_STEPS}"
            )
        if self._steps <= _WARMUP_STEPS:
            self._graphs = graphs

    def _check_speed(self) -> None:
        if self._proven_step is None:
            return
        typical = statistics.median(self._times[-_CHECK_EVERY:])
        if typical <= _SLOWER * self._proven_step:
            self._slow_checks = 0
            self._said.discard("speed")  # it may slow down once more
            return
        self._slow_checks += 1
        self._say(
            "speed",
            f"step {self._steps}: a step takes {1e3 * typical:.2f} ms where at most {1e3 * self._proven_step:.2f} ms "
            "were proven: another machine, another load, or other data; prove the plan again here",
        )
        if self._slow_checks > 1:  # once may be a pause of the machine's
            self._stop()

    def _say(self, topic: str, line: str) -> None:
        if topic not in self._said:
            self._said.add(topic)
            sys.stderr.write(f"hotloop: {line}\n")
            sys.stderr.flush()
