"""The phases of a step, timed; and findings on those that a loader, an optimizer or an evaluation owns."""

import contextlib
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from torch import nn
from torch.utils.data import DataLoader, IterableDataset

from hotloop.diagnose.call_sites import NOWHERE
from hotloop.diagnose.phase_hooks import PhaseHooks
from hotloop.diagnose.phase_times import PhaseTimes, split_steps
from hotloop.diagnose.probe import Probe, ProbeReport, measured_finding
from hotloop.diagnose.step_window import TIMED
from hotloop.diagnose.trace_context import TraceContext
from hotloop.finding import Finding

_WORTH_REPORTING = 0.02
# A batch that comes from a worker process costs the step about 2 ms itself: `with_workers` in
# benchmarks/results/amd-epyc-2-cores/diagnose/skorch_digits.json.
_WORTH_A_WORKER = 2e-3


class PhaseProbe(Probe):
    """Times the steps that every share refers to."""

    name = "phases"
    window = TIMED

    def __init__(self, context: TraceContext) -> None:
        super().__init__(context)
        self._hooks = PhaseHooks(context)

    def installed(self) -> AbstractContextManager[None]:
        """The hooks, for the sake of all probes."""
        return self._hooks.installed()

    def root(self, module: nn.Module) -> None:
        """Mark its calls."""
        self._hooks.follow(module)

    @contextmanager
    def active(self) -> Generator[None]:
        """The context knows the times when the window has closed."""
        with self._hooks.recording():
            yield
        self.context.times = split_steps(self._hooks.spans())

    def step(self) -> None:
        super().step()
        self._hooks.step()

    def report(self, times: PhaseTimes) -> ProbeReport:
        """A finding for each phase that takes a share worth reporting."""
        found = (self._waiting(times), self._starting(times), self._updating(times), self._evaluating(times))
        return ProbeReport(findings=[f for f in found if f is not None and (f.share or 0.0) >= _WORTH_REPORTING])

    def _waiting(self, times: PhaseTimes) -> Finding | None:
        if not self.context.loaders:
            return None
        line, loader = max(self.context.loaders, key=lambda item: _length(item[1]))
        share = times.shares.get("data_wait", 0.0)
        seconds = times.ordinary.get("data_wait", 0.0)
        can_change = loader.num_workers == 0 and not isinstance(loader.dataset, IterableDataset)
        return measured_finding(
            line,
            code="DA06",
            per_step=1.0,
            share=share,
            transform="data_loading" if can_change and seconds >= _WORTH_A_WORKER else None,
            cure=_cure_of_waiting(loader.num_workers, seconds),
            message=f"each step waits {_ms(seconds)} for the next batch, {share:.0%} of it",
            evidence={"wait_ms": 1e3 * seconds, "workers": loader.num_workers},
        )

    def _starting(self, times: PhaseTimes) -> Finding | None:
        share = times.share_of_all(times.all.get("loader_start", 0.0))
        restarted = ((p, o) for p, o in self.context.loaders if o.num_workers and not o.persistent_workers)
        for line, loader in restarted:
            return measured_finding(
                line,
                code="DA07",
                share=share,
                cure="persistent_workers=True keeps the workers, and what they cached, from one epoch to the next",
                message=f"starting {loader.num_workers} workers anew each epoch takes {share:.0%} of the time",
            )
        return None

    def _updating(self, times: PhaseTimes) -> Finding | None:
        if not self.context.optimizers:
            return None
        optimizer = self.context.optimizers[0]
        kind, flags = type(optimizer).__name__, optimizer.defaults
        can_fuse = "fused" in flags and not flags.get("fused")
        share = times.shares.get("optimizer", 0.0)
        seconds = times.ordinary.get("optimizer", 0.0)
        return measured_finding(
            self.context.optimizer_lines.get(id(optimizer), NOWHERE),
            code="OP02",
            per_step=1.0,
            share=share,
            transform="fused_optimizer" if can_fuse else None,
            cure=f"build {kind} with fused=True" if can_fuse else f"this {kind} has no faster form; step less often",
            message=f"{kind}.step takes {_ms(seconds)}, {share:.0%} of a step",
            evidence={"update_ms": 1e3 * seconds, "optimizer": kind},
        )

    def _evaluating(self, times: PhaseTimes) -> Finding | None:
        share = times.share_of_all(times.unused_graphs)
        if self._hooks.unsure_line is NOWHERE:
            return None
        return measured_finding(
            self._hooks.unsure_line,
            code="ME04",
            share=share,
            cure="evaluate under torch.inference_mode(), and go back to train() after it",
            message=f"evaluation keeps a graph that no backward uses; its forward passes take {share:.0%} of the time",
        )


def _cure_of_waiting(workers: int, seconds: float) -> str:
    if workers:
        return f"the {workers} workers do not keep up: use more, or do less for each sample"
    if seconds >= _WORTH_A_WORKER:
        return "load in worker processes (num_workers), or do less for each sample"
    return "index whole batches of tensors in memory, not item by item; a worker process would cost more than it saves"


def _length(loader: DataLoader[Any]) -> int:
    with contextlib.suppress(TypeError):
        return len(loader)
    return 0


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.3g} ms"
