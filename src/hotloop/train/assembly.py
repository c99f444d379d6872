"""What one gradient step of a run is made of, kept in agreement while the run goes on."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import Optimizer

from hotloop.compile.capture import CapturedStep
from hotloop.train.cadence import StateCadence
from hotloop.train.flat.compiled import Compilation, CompiledStep
from hotloop.train.flat.fused_network import fused_network
from hotloop.train.flat.loss_scale import LossScale
from hotloop.train.flat.optimizer import FlatOptimizer
from hotloop.train.flat.parameters import FlatParameters
from hotloop.train.flat.step import FlatStep
from hotloop.train.options import UpdateOptions
from hotloop.train.ranks import Ranks
from hotloop.train.stopwatch import Stopwatch
from hotloop.workload import Job, StepFunction, Strategy


class StepAssembly:
    """The gradient step of `model`: flat, through a fused network where there is one, compiled where that was asked.

    With several `ranks` the network is in DistributedDataParallel and never fused.
    Raises ValueError where a step that is compiled whole could not do what was asked.
    """

    def __init__(
        self,
        model: nn.Module,
        strategy: Strategy,
        options: UpdateOptions,
        *,
        state: StateCadence | None,
        compilation: Compilation | None,
        stopwatch: Stopwatch,
        ranks: Ranks | None = None,
    ) -> None:
        if compilation is not None and compilation.what == "step":
            _check_capturable(options, is_stateful=state is not None)
        self._model, self._strategy, self._options = model, strategy, options
        self._state, self._compilation, self._stopwatch = state, compilation, stopwatch
        self._ranks = ranks or Ranks()
        self._network = model  # or its compiled form, or that of all ranks
        self._captured: Optimizer | None = None  # torch's own, while a captured step updates the parameters
        self.flat_step = self._assembled(lr=options.lr)
        self._network = self._ranks.parallel(model)  # once the parameters are where they stay
        self.compiled: CompiledStep | None = None
        if compilation is not None:
            self.compiled = CompiledStep(
                self.flat_step,
                prepare=self._compile,
                fall_back=self._fall_back,
                device=self.device,
                stopwatch=stopwatch,
                at_once=compilation.at_once,
            )

    @property
    def device(self) -> torch.device:
        """Where the step runs."""
        return self.flat_step.optimizer.flat.values.device

    @property
    def is_stateful(self) -> bool:
        """Whether the model keeps a state that the step moves."""
        return self._state is not None

    def job(self, batches: Iterable[Any]) -> Job:
        """The job that trains by this step."""
        return Job(
            model=self._model,
            optimizer=self.flat_step.optimizer,
            batches=batches,
            strategy=self._strategy,
            step=self.flat_step if self.compiled is None else self.compiled,
        )

    def prepare_epoch(self, epoch: int) -> None:
        """Train at the rate of this 0-based epoch. Raises WorkloadError where parameters moved since the last one."""
        optimizer = self.flat_step.optimizer if self._captured is None else self._captured
        optimizer.param_groups[0]["lr"] = self._options.lr_in(epoch)
        if self._captured is None:
            self.flat_step.optimizer.flat.check(self._model)
            self._choose_network()

    def gather(self) -> None:
        """Bring the state of the flat optimizer, from which checkpoints are made, up to that of a captured step."""
        if self._captured is not None:
            self.flat_step.optimizer.take_from(self._captured)

    def release(self) -> None:
        """Give each parameter a storage of its own again."""
        self.flat_step.optimizer.flat.release()

    @property
    def title(self) -> str:
        """What the steps are now: "compiled model", "compiled step", "fused" or "flat"."""
        if self._compilation is not None and self.compiled is not None and self.compiled.failure is None:
            return f"compiled {self._compilation.what}"
        return "flat" if isinstance(self.flat_step.network, nn.Module) else "fused"

    def _assembled(self, *, lr: float, after: FlatOptimizer | None = None) -> FlatStep:
        options, parameters = self._options, FlatParameters(self._model)
        optimizer = FlatOptimizer(parameters, options.optimizer, lr=lr, weight_decay=options.weight_decay, after=after)
        step = FlatStep(
            self._model,
            self._strategy,
            optimizer,
            clipping=options.clipping,
            nonfinite=options.nonfinite,
            scale=LossScale(parameters.values.device) if options.scales_loss else None,
            state=self._state,
            stopwatch=self._stopwatch,
            fused=self._may_fuse,
            ranks=self._ranks,
        )
        step.reports_norm = options.reports_norm
        return step

    @property
    def _may_fuse(self) -> bool:
        return self._options.fused and self._options.amp is None

    def _choose_network(self) -> None:
        is_own = self._network is self._model
        fused = fused_network(self._model, self.flat_step.optimizer.flat) if is_own and self._may_fuse else None
        self.flat_step.network = self._network if fused is None else fused

    def _compile(self) -> StepFunction:
        assert self._compilation is not None
        if self._compilation.what == "model":
            self._network = self._compilation.model(self._model)
            self.flat_step.network = self._network
            return self.flat_step
        # A captured step updates parameters in place and takes none that share memory.
        self.flat_step.optimizer.flat.release()
        self._captured = self.flat_step.optimizer.as_torch()
        job = Job(
            model=self._model,
            optimizer=self._captured,
            batches=(),
            strategy=self._strategy,
            clip_norm=self._options.clipping.norm,
        )
        return CapturedStep(job, backend=self._compilation.backend, reports_norm=self._options.reports_norm)

    def _fall_back(self) -> StepFunction:
        """The flat step again, from the state that its optimizer had."""
        self._network = self._model
        if self._captured is not None:
            self._captured = None
            before = self.flat_step.optimizer
            self.flat_step = self._assembled(lr=before.param_groups[0]["lr"], after=before)
        self._choose_network()
        return self.flat_step


def _check_capturable(options: UpdateOptions, *, is_stateful: bool) -> None:
    asked = {
        "a stateful model": is_stateful,
        "amp='float16'": options.scales_loss,
        "clip_value": options.clipping.value is not None,
        "clip_every above 1": options.clipping.every > 1,
        "nonfinite='skip'": options.nonfinite == "skip",
    }
    if any(asked.values()):
        wrong = ", ".join(name for name, is_asked in asked.items() if is_asked)
        raise ValueError(
            f"compile='step' was given with {wrong}; a step compiled whole allows none of {', '.join(asked)}: leave "
            "that out, or give compile='model'"
        )
