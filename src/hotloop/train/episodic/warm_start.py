"""Supervised training by the same lean steps: before the episodes, or on its own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass as checked_dataclass
from torch import Tensor, nn
from torch.nn import functional

from hotloop.train.episodic.options import (
    Count,
    HalfPrecision,
    Limit,
    Nonfinite,
    NotNegative,
    Optimizer,
    Phases,
    Positive,
    StateReset,
)
from hotloop.train.episodic.run import DTYPES, check_amp, make_watch
from hotloop.train.episodic.series import load_series
from hotloop.train.epochs import Callbacks, Epoch, EpochRunner, LeanSettings
from hotloop.train.lean.clipping import Clipping
from hotloop.train.resumption import Recorder
from hotloop.train.strategies.supervised import Score, Supervised
from hotloop.train.threads import intra_op_threads, suited_threads


@checked_dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", strict=True))
class SupervisedOptions:
    """How a model is trained on pairs of inputs and targets; names mean what they mean in EpisodicOptions."""

    epochs: Count = 200
    batch_size: Count = 128
    shuffle: bool = True
    lr: Positive = 1e-3
    lr_end: Positive | None = None
    optimizer: Optimizer = "adam"
    weight_decay: NotNegative = 0.0
    clip_norm: Limit = None
    state_reset: StateReset = "batch"
    state_updates: bool | None = None
    amp: HalfPrecision | None = None
    nonfinite: Nonfinite = "stop"
    validation_every: Count = 1
    patience: Count | None = None
    threads: Count | None = None
    phases: Phases = "auto"
    fused: bool = True


@dataclass(frozen=True, kw_only=True)
class SupervisedEpoch:
    """One epoch: 1-based number, mean loss over the samples, updates, those skipped, loss on the validation pair."""

    epoch: int
    loss: float
    updates: int
    skipped: int
    validation: float | None


@dataclass(frozen=True, kw_only=True)
class SupervisedRun:
    """A finished run; `total_time_s` is the wall time of its loop, `phases` where it went."""

    history: tuple[SupervisedEpoch, ...]
    best_epoch: int | None
    stopped_early: bool
    total_time_s: float
    phases: dict[str, float]
    threads: int
    step: str


def train_supervised(  # noqa: PLR0913  # one call for users; all but four by keyword
    model: nn.Module,
    inputs: Any,
    targets: Any,
    options: SupervisedOptions | None = None,
    *,
    criterion: Score = functional.mse_loss,
    seed: int | None = None,
    device: torch.device | str | None = None,
    validation: tuple[Any, Any] | None = None,
    before_epoch: Callable[[int], None] | None = None,
    on_epoch: Callable[[SupervisedEpoch], None] | None = None,
    recorder: Recorder | None = None,
) -> SupervisedRun:
    """Trains `model` in place on `inputs` (N, ...) and `targets` (N, ...); ends in eval mode.

    Mini-batches are permutations, in the order in which a shuffling DataLoader gives them: drawn from a generator
    seeded with `seed`, or from torch's global one where it is None. `criterion` is a mean over the samples.
    Raises ValueError where the lengths differ or values are not finite, NonFiniteError under nonfinite="stop".
    """
    options = options or SupervisedOptions()
    first = next(model.parameters())
    device = first.device if device is None else torch.device(device)
    check_amp(options.amp, device)
    model.to(device)
    pair = _Pair.load(inputs, targets, dtype=first.dtype, device=device)
    held_out = None if validation is None else _Pair.load(*validation, dtype=first.dtype, device=device)
    weights = sum(parameter.numel() for parameter in model.parameters())
    threads = options.threads or suited_threads(rows=min(options.batch_size, len(pair.inputs)), weights=weights)
    watch = make_watch(options.phases, device)
    autocast = None if options.amp is None else DTYPES[options.amp]
    runner = EpochRunner(
        model,
        Supervised(criterion=criterion, autocast=autocast),
        Permuted(pair.inputs, pair.targets, batch_size=options.batch_size, shuffle=options.shuffle, seed=seed),
        _settings(options),
        watch=watch,
        callbacks=Callbacks(
            before_epoch=before_epoch,
            after_epoch=None if on_epoch is None else lambda epoch: on_epoch(_supervised(epoch)),
            validate=None if held_out is None else lambda: held_out.loss(model, criterion),
            recorder=recorder,
        ),
    )
    with intra_op_threads(threads):
        epochs = runner.run(options.epochs)
    return SupervisedRun(
        history=tuple(map(_supervised, epochs.history)),
        best_epoch=epochs.best_epoch,
        stopped_early=epochs.stopped_early,
        total_time_s=epochs.total_time_s,
        phases=epochs.phases,
        threads=threads,
        step=epochs.step,
    )


class Permuted:
    """Mini-batches of a new permutation each pass, gathered on the device.

    The draws are those of DataLoader(shuffle=True): a base seed, which is not used, then the seed of the permutation.
    """

    def __init__(self, inputs: Tensor, targets: Tensor, *, batch_size: int, shuffle: bool, seed: int | None) -> None:
        self._inputs, self._targets = inputs, targets
        self._batch_size, self._shuffle = batch_size, shuffle
        self._generator = None if seed is None else torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return (len(self._inputs) + self._batch_size - 1) // self._batch_size

    def skip(self, epochs: int) -> None:
        """Leave out the draws of so many epochs; a global generator is put back by whoever kept the run."""
        if self._generator is not None:
            for _ in range(epochs * (2 if self._shuffle else 1)):
                _drawn(self._generator)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        _drawn(self._generator)
        if not self._shuffle:
            yield from zip(self._inputs.split(self._batch_size), self._targets.split(self._batch_size), strict=True)
            return
        order = torch.randperm(len(self._inputs), generator=torch.Generator().manual_seed(_drawn(self._generator)))
        for chosen in order.to(self._inputs.device).split(self._batch_size):
            yield self._inputs.index_select(0, chosen), self._targets.index_select(0, chosen)


@dataclass(frozen=True, kw_only=True)
class _Pair:
    inputs: Tensor
    targets: Tensor

    @classmethod
    def load(cls, inputs: Any, targets: Any, *, dtype: torch.dtype, device: torch.device) -> "_Pair":
        loaded = load_series(inputs, dtype=dtype, device=device, name="inputs").values
        wanted = load_series(targets, dtype=dtype, device=device, name="targets").values
        if len(loaded) != len(wanted):
            raise ValueError(f"got {len(loaded)} inputs and {len(wanted)} targets; give one target for each input")
        return cls(inputs=loaded, targets=wanted)

    @torch.no_grad()
    def loss(self, model: nn.Module, criterion: Score) -> float:
        model.eval()
        return float(criterion(model(self.inputs), self.targets))


def _drawn(generator: torch.Generator | None) -> int:
    return int(torch.empty((), dtype=torch.int64).random_(generator=generator).item())


def _settings(options: SupervisedOptions) -> LeanSettings:
    return LeanSettings(
        lr=options.lr,
        optimizer=options.optimizer,
        weight_decay=options.weight_decay,
        clipping=Clipping(norm=options.clip_norm),
        nonfinite=options.nonfinite,
        scaled=options.amp == "float16",
        fused=options.fused and options.amp is None,
        state_reset=options.state_reset,
        state_updates=options.state_updates,
        validation_every=options.validation_every,
        patience=options.patience,
        lr_end=options.lr_end,
    )


def _supervised(epoch: Epoch) -> SupervisedEpoch:
    return SupervisedEpoch(
        epoch=epoch.number, loss=epoch.loss, updates=epoch.updates, skipped=epoch.skipped, validation=epoch.validation
    )
