"""Epochs of flat steps through the one training loop: reports, validation, early stopping, the guard against NaN."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

import torch
from torch import nn

from hotloop.train.assembly import StepAssembly
from hotloop.train.cadence import StateCadence
from hotloop.train.checkpoint import CheckpointRecorder, KeptState, TrainingState
from hotloop.train.epoch_log import Epoch, EpochLog
from hotloop.train.flat.compiled import Compilation, CompilePayback
from hotloop.train.loop import train
from hotloop.train.metrics import MetricsReport
from hotloop.train.options import UpdateOptions
from hotloop.train.ranks import Ranks
from hotloop.train.stopwatch import Stopwatch
from hotloop.workload import Strategy


@dataclass(frozen=True, kw_only=True)
class EpochsRun:
    """A finished run; `total_time_s` is the wall time of the loop without compiling, `phases` where it went.

    `epochs_here` were trained in this process, the others of `history` before a checkpoint from which it went on.
    """

    history: tuple[Epoch, ...]
    epochs_here: int
    best_epoch: int | None
    stopped_early: bool
    total_time_s: float
    phases: dict[str, float]
    threads: int
    step: str
    stateful: bool
    compile_time_s: float = 0.0
    payback: CompilePayback | None = None
    compile_failure: str | None = None


class EpochBatches(Protocol):
    """Batches of one epoch at a time, and how many."""

    def __len__(self) -> int: ...

    def skip(self, epochs: int) -> None:
        """Leave out the draws of so many epochs."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class EpochIterator:
    """Batches for the training loop; each pass is the next epoch.

    Before its first batch the model is put in train mode and its state back where that is due, `before_epoch` is called
    with the 0-based epoch, and the step is prepared.
    """

    def __init__(
        self,
        model: nn.Module,
        batches: EpochBatches,
        assembly: StepAssembly,
        *,
        state: StateCadence | None,
        before_epoch: Callable[[int], None] | None,
    ) -> None:
        self._model, self._batches, self._assembly = model, batches, assembly
        self._state, self._before_epoch = state, before_epoch
        self._epoch = 0

    def skip(self, epochs: int) -> None:
        self._batches.skip(epochs)
        self._epoch += epochs

    def __iter__(self) -> Iterator[Any]:
        self._model.train()
        if self._state is not None:
            self._state.before_epoch()
        if self._before_epoch is not None:
            self._before_epoch(self._epoch)
        self._assembly.prepare_epoch(self._epoch)
        self._epoch += 1
        yield from self._batches


def train_epochs(  # noqa: PLR0913  # all that makes a run; all but four by keyword
    model: nn.Module,
    strategy: Strategy,
    batches: EpochBatches,
    options: UpdateOptions,
    *,
    stopwatch: Stopwatch,
    compilation: Compilation | None = None,
    before_epoch: Callable[[int], None] | None = None,
    after_epoch: Callable[[Epoch], None] | None = None,
    validate: Callable[[], float] | None = None,
    recorder: CheckpointRecorder | None = None,
    kept: KeptState | None = None,
    ranks: Ranks | None = None,
) -> EpochsRun:
    """Trains `model` in place on `batches` by flat steps, at most `options.epochs` epochs.

    The model is put in train mode before each epoch and ends in eval mode; its `on_epoch(epoch)`, where it has one, is
    called after each epoch. `before_epoch` gets the 0-based epoch; `validate` gives a loss to minimise, with which and
    `patience` the best weights are put back at the end. A `recorder` says where to begin and is told of each epoch;
    `kept` are the batches again, where they have a state of their own. An epoch lasts as long as its batches. With
    several `ranks` every batch is `Microbatches`, and each rank has as many.
    Raises NonFiniteError at the end of an epoch that met a NaN under "stop".
    """
    if recorder is not None and compilation is not None and compilation.what == "step" and not compilation.at_once:
        raise ValueError(
            "compile='step' was given for a run that is recorded; going on, it would begin with flat updates again, "
            "and not end as a run that never stopped: give 'model'"
        )
    state = StateCadence.of(model, options.state_reset, options.state_updates)
    assembly = StepAssembly(
        model, strategy, options, state=state, compilation=compilation, stopwatch=stopwatch, ranks=ranks
    )
    epochs = EpochIterator(model, batches, assembly, state=state, before_epoch=before_epoch)
    log = EpochLog(model, options, validate=validate, after_epoch=after_epoch)
    training = TrainingState(model=model, step=assembly.flat_step, log=log, batches=kept)

    def on_report(report: MetricsReport) -> bool:
        is_over = log.record(report)
        if recorder is not None:
            assembly.gather()
            recorder.keep(training)
        stopwatch.mark("report")
        return is_over

    try:
        if recorder is not None:
            checkpoint = recorder.begin()
            if checkpoint is not None:
                training.restore(checkpoint)
            epochs.skip(len(log.epochs))
        resumed_after = len(log.epochs)
        stopwatch.start()
        began = perf_counter()
        job, is_over = assembly.job(epochs), False
        while len(log.epochs) < options.epochs and not is_over:
            is_over = on_report(train(job, epochs=1))
        phases = stopwatch.seconds()
        if assembly.device.type == "cuda":
            torch.cuda.synchronize()
        total = perf_counter() - began
        if options.patience is not None:
            log.best.restore()
        return _finished(assembly, log, phases=phases, total=total, epochs_here=len(log.epochs) - resumed_after)
    finally:
        assembly.release()
        model.eval()


def _finished(
    assembly: StepAssembly, log: EpochLog, *, phases: dict[str, float], total: float, epochs_here: int
) -> EpochsRun:
    compiled = assembly.compiled
    compile_time = 0.0 if compiled is None else compiled.compile_time_s
    return EpochsRun(
        history=tuple(log.epochs),
        epochs_here=epochs_here,
        best_epoch=log.best.epoch,
        stopped_early=log.stopped_early,
        total_time_s=total - compile_time,
        phases={phase: seconds for phase, seconds in phases.items() if phase != "compile"},
        threads=torch.get_num_threads(),
        step=assembly.title,
        stateful=assembly.is_stateful,
        compile_time_s=compile_time,
        payback=None if compiled is None else compiled.payback(),
        compile_failure=None if compiled is None else compiled.failure,
    )
