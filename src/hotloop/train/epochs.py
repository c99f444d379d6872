"""Epochs of lean steps through the one loop of the house: reports, validation, early stopping, the guard for NaN."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any, Literal, Protocol

import torch
from torch import nn
from torch.optim.optimizer import Optimizer

from hotloop.compile.backends import Backend
from hotloop.compile.capture import WholeStep
from hotloop.errors import NonFiniteError
from hotloop.train.best import BestWeights
from hotloop.train.cadence import Reset, StateCadence
from hotloop.train.lean.clipping import Clipping
from hotloop.train.lean.compiled import CompiledStep, Payback, compile_model
from hotloop.train.lean.flat import FlatParameters
from hotloop.train.lean.fused import fused_network
from hotloop.train.lean.loss_scale import LossScale
from hotloop.train.lean.optimizer import FlatOptimizer, Kind
from hotloop.train.lean.step import LeanStep, Nonfinite
from hotloop.train.loop import train
from hotloop.train.metrics import Report
from hotloop.train.resumption import Course, Recorder, restore
from hotloop.train.stopwatch import Stopwatch
from hotloop.workload import Job, StepFunction, Strategy


class Batches(Protocol):
    """Batches of one epoch at a time, and how many."""

    def __len__(self) -> int: ...

    def skip(self, epochs: int) -> None:
        """Leave out the draws of so many epochs."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


@dataclass(frozen=True, kw_only=True)
class LeanSettings:
    """How parameters are updated, and when to stop.

    `scaled` scales the loss for float16. With `lr_end` the rate goes linearly over the epochs, from `lr` in the first
    to `lr_end` in the last. `backend` is what compiles a step.
    """

    lr: float
    optimizer: Kind = "adam"
    weight_decay: float = 0.0
    clipping: Clipping = field(default_factory=Clipping)
    nonfinite: Nonfinite = "stop"
    scaled: bool = False
    fused: bool = True
    state_reset: Reset = "batch"
    state_updates: bool | None = None
    validation_every: int = 1
    patience: int | None = None
    lr_end: float | None = None
    compile: Literal["off", "model", "step"] = "off"
    backend: Backend = "inductor"

    def check_compile(self, *, is_stateful: bool) -> None:
        """Raise ValueError where a step that is compiled whole could not do what was asked."""
        if self.compile != "step":
            return
        asked = {
            "a stateful model": is_stateful,
            "amp='float16'": self.scaled,
            "clip_value": self.clipping.value is not None,
            "clip_every above 1": self.clipping.every > 1,
            "nonfinite='skip'": self.nonfinite == "skip",
        }
        if any(asked.values()):
            wrong = ", ".join(name for name, is_asked in asked.items() if is_asked)
            raise ValueError(
                f"compile='step' was given with {wrong}; a step compiled whole allows none of "
                f"{', '.join(asked)}: leave that out, or give compile='model'"
            )


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One epoch: 1-based number, mean loss over its items, updates, those skipped, and the validation loss."""

    number: int
    loss: float
    updates: int
    skipped: int
    validation: float | None


@dataclass(frozen=True, kw_only=True)
class Epochs:
    """A finished run; `total_time_s` is the wall time of the loop without compiling, `phases` where it went."""

    history: tuple[Epoch, ...]
    best_epoch: int | None
    stopped_early: bool
    total_time_s: float
    phases: dict[str, float]
    step: str
    stateful: bool
    compile_time_s: float = 0.0
    payback: Payback | None = None
    compile_failure: str | None = None


@dataclass(frozen=True, kw_only=True)
class Callbacks:
    """What a caller hears: before an epoch (0-based) and after it; `validate` gives a loss to minimise.

    A `recorder` is asked once where to begin, and told after each epoch.
    """

    before_epoch: Callable[[int], None] | None = None
    after_epoch: Callable[[Epoch], None] | None = None
    validate: Callable[[], float] | None = None
    recorder: Recorder | None = None


class EpochRunner:
    """Trains `model` on `batches` by lean steps; used once.

    The model is put in train mode before each epoch and ends in eval mode; its `on_epoch(epoch)`, where it has one, is
    called after each epoch. With a validation loss and `patience`, the best weights are put back at the end.
    """

    def __init__(
        self,
        model: nn.Module,
        strategy: Strategy,
        batches: Batches,
        settings: LeanSettings,
        *,
        watch: Stopwatch,
        callbacks: Callbacks | None = None,
    ) -> None:
        self._model, self._batches, self._settings = model, batches, settings
        self._watch, self._callbacks = watch, callbacks or Callbacks()
        self._strategy = strategy
        self._history: list[Epoch] = []
        self._stopped, self._is_captured = False, False

    def run(self, epochs: int) -> Epochs:
        """At most `epochs` epochs. Raises NonFiniteError at the end of an epoch that met a NaN under "stop"."""
        settings, model = self._settings, self._model
        self._state = StateCadence.of(model, settings.state_reset, settings.state_updates)
        settings.check_compile(is_stateful=self._state is not None)
        self._num_epochs = epochs
        self._best = BestWeights(model, settings.patience)
        self._network = model
        self._step = self._lean_step()
        try:
            self._begin()
            return self._run(epochs)
        finally:
            self._flat.release()
            model.eval()

    def _begin(self) -> None:
        recorder = self._callbacks.recorder
        if recorder is None:
            return
        if self._settings.compile == "step":
            raise ValueError(
                "compile='step' was given for a run that is recorded; its optimizer cannot be kept: give 'model'"
            )
        state = recorder.begin()
        if state is not None:
            restore(self._course(), state)
            self._history = [Epoch(**entry) for entry in state.data["epochs"]]
            self._batches.skip(len(self._history))

    def _course(self) -> Course:
        assert isinstance(self._optimizer, FlatOptimizer)
        entries = [asdict(epoch) for epoch in self._history]
        return Course(model=self._model, optimizer=self._optimizer, step=self._step, best=self._best, entries=entries)

    def _run(self, epochs: int) -> Epochs:
        job = Job(
            model=self._model,
            optimizer=self._optimizer,
            batches=_Announced(self),
            strategy=self._strategy,
            step=self._step_function(),
        )
        self._watch.start()
        began = perf_counter()
        if len(self._history) < epochs:
            left = epochs - len(self._history)
            train(job, epochs=left, report_every=len(self._batches), on_report=self._after_epoch)
        phases = self._watch.seconds()
        if self._device.type == "cuda":
            torch.cuda.synchronize()
        total = perf_counter() - began
        if self._settings.patience is not None:
            self._best.restore()
        return self._finished(job, total, phases)

    def _finished(self, job: Job, total: float, phases: dict[str, float]) -> Epochs:
        compiled = job.step if isinstance(job.step, CompiledStep) else None
        phases.pop("compile", None)
        return Epochs(
            history=tuple(self._history),
            best_epoch=self._best.epoch,
            stopped_early=self._stopped,
            total_time_s=total - (compiled.compile_time_s if compiled else 0.0),
            phases=phases,
            step=self._kind(compiled),
            stateful=self._state is not None,
            compile_time_s=compiled.compile_time_s if compiled else 0.0,
            payback=compiled.payback() if compiled else None,
            compile_failure=compiled.failure if compiled else None,
        )

    def _kind(self, compiled: CompiledStep | None) -> str:
        if compiled is not None and compiled.failure is None:
            return f"compiled {self._settings.compile}"
        return "lean" if isinstance(self._step.network, nn.Module) else "fused"

    @property
    def _device(self) -> torch.device:
        return self._flat.values.device

    def _lean_step(self, after: FlatOptimizer | None = None) -> LeanStep:
        settings = self._settings
        self._flat = FlatParameters(self._model)
        optimizer = FlatOptimizer(
            self._flat, settings.optimizer, lr=settings.lr, weight_decay=settings.weight_decay, after=after
        )
        self._optimizer: Optimizer = optimizer
        return LeanStep(
            self._model,
            self._strategy,
            optimizer,
            clipping=settings.clipping,
            nonfinite=settings.nonfinite,
            scale=LossScale(self._device) if settings.scaled else None,
            state=self._state,
            watch=self._watch,
            fused=settings.fused,
        )

    def _step_function(self) -> StepFunction:
        if self._settings.compile == "off":
            return self._step
        return CompiledStep(
            self._step, prepare=self._compiled, fall_back=self._lean_again, device=self._device, watch=self._watch
        )

    def _compiled(self) -> StepFunction:
        backend, lean = self._settings.backend, self._optimizer
        if self._settings.compile == "model":
            self._network = compile_model(self._model, backend)
            self._step.use(self._network)
            return self._step
        assert isinstance(lean, FlatOptimizer)
        # A captured step updates parameters in place and takes none that share memory.
        self._before_capture = lean
        self._flat.release()
        self._optimizer, self._is_captured = lean.as_torch(), True
        self._set_rate()
        job = Job(
            model=self._model,
            optimizer=self._optimizer,
            batches=(),
            strategy=self._strategy,
            clip_norm=self._settings.clipping.norm,
        )
        return WholeStep(job, backend=backend)

    def _lean_again(self) -> StepFunction:
        self._network = self._model
        if self._is_captured:
            self._is_captured = False
            self._step = self._lean_step(after=self._before_capture)
            self._set_rate()
        self._choose_network()
        return self._step

    def epoch(self) -> Iterator[Any]:
        """The batches of the next epoch, after everything that is due before them."""
        self._model.train()
        if self._state is not None:
            self._state.before_epoch()
        if self._callbacks.before_epoch is not None:
            self._callbacks.before_epoch(len(self._history))
        self._set_rate()
        if not self._is_captured:
            self._flat.check(self._model)
            self._choose_network()
        yield from self._batches

    def _choose_network(self) -> None:
        uses_model = self._network is self._model
        fused = fused_network(self._model, self._flat) if uses_model and self._settings.fused else None
        self._step.use(self._network if fused is None else fused)

    def _set_rate(self) -> None:
        settings = self._settings
        if settings.lr_end is not None and self._num_epochs > 1:
            share = len(self._history) / (self._num_epochs - 1)
            self._optimizer.param_groups[0]["lr"] = settings.lr + (settings.lr_end - settings.lr) * share

    def _after_epoch(self, report: Report) -> bool:
        number = len(self._history) + 1
        if report.num_nonfinite and self._settings.nonfinite == "stop":
            raise NonFiniteError(
                f"in epoch {number}, update {report.steps - report.num_nonfinite + 1}: the loss or its gradient is NaN "
                "or infinite; the weights are those from before that update: look at the reward for divisions and "
                "logs of zero, lower lr, or give nonfinite='skip' to leave such updates out"
            )
        epoch = Epoch(
            number=number,
            loss=report.loss,
            updates=report.steps,
            skipped=report.num_nonfinite,
            validation=self._validated(number),
        )
        self._history.append(epoch)
        follow = getattr(self._model, "on_epoch", None)
        if callable(follow):
            follow(number - 1)
        if self._callbacks.after_epoch is not None:
            self._callbacks.after_epoch(epoch)
        if epoch.validation is not None and self._best.see(epoch.validation, number):
            self._stopped = True
        if self._callbacks.recorder is not None:
            self._callbacks.recorder.keep(self._course())
        self._watch.mark("report")
        return self._stopped

    def _validated(self, number: int) -> float | None:
        validate = self._callbacks.validate
        if validate is None or number % self._settings.validation_every:
            return None
        loss = validate()
        self._model.train()
        return loss


class _Announced:
    """The batches of a runner, each pass with its announcements."""

    def __init__(self, runner: EpochRunner) -> None:
        self._runner = runner

    def __iter__(self) -> Iterator[Any]:
        return self._runner.epoch()
