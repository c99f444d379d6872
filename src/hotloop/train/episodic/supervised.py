"""Supervised training by the same flat steps: before the episodes, or on its own."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn import functional

from hotloop.compile.precision import half_dtype
from hotloop.train.checkpoint import CheckpointRecorder
from hotloop.train.episodes.series import load_series
from hotloop.train.epoch_log import Epoch
from hotloop.train.epochs import EpochsRun, train_epochs
from hotloop.train.options import CHECKED, Count, UpdateOptions
from hotloop.train.stopwatch import stopwatch_for
from hotloop.train.strategies.supervised import Score, Supervised
from hotloop.train.threads import intra_op_threads, suited_threads


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class SupervisedOptions(UpdateOptions):
    """How a model is trained on pairs of inputs and targets."""

    batch_size: Count = 128
    shuffle: bool = True


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
    on_epoch: Callable[[Epoch], None] | None = None,
    recorder: CheckpointRecorder | None = None,
) -> EpochsRun:
    """Trains `model` in place on `inputs` (N, ...) and `targets` (N, ...); ends in eval mode.

    Batches are permutations, in the order in which a shuffling DataLoader gives them: drawn from a generator
    seeded with `seed`, or from torch's global one where it is None. `criterion` is a mean over the samples.
    Raises ValueError where the lengths differ or values are not finite, NonFiniteError under nonfinite="stop".
    """
    options = options or SupervisedOptions()
    first = next(model.parameters())
    device = first.device if device is None else torch.device(device)
    autocast = half_dtype(options.amp, device)
    model.to(device)
    rows, wanted = _pairs(inputs, targets, dtype=first.dtype, device=device)
    held_out = None if validation is None else _pairs(*validation, dtype=first.dtype, device=device)
    with intra_op_threads(options.threads or suited_threads(model, rows=min(options.batch_size, len(rows)))):
        return train_epochs(
            model,
            Supervised(criterion=criterion, autocast=autocast),
            ShuffledBatches(rows, wanted, batch_size=options.batch_size, shuffle=options.shuffle, seed=seed),
            options,
            stopwatch=stopwatch_for(options.phases, device),
            before_epoch=before_epoch,
            after_epoch=on_epoch,
            validate=None if held_out is None else lambda: _loss(model, criterion, *held_out),
            recorder=recorder,
        )


class ShuffledBatches:
    """Batches of a new permutation each pass, gathered on the device.

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


def _pairs(inputs: Any, targets: Any, *, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    loaded = load_series(inputs, dtype=dtype, device=device, name="inputs").values
    wanted = load_series(targets, dtype=dtype, device=device, name="targets").values
    if len(loaded) != len(wanted):
        raise ValueError(f"got {len(loaded)} inputs and {len(wanted)} targets; give one target for each input")
    return loaded, wanted


@torch.no_grad()
def _loss(model: nn.Module, criterion: Score, inputs: Tensor, targets: Tensor) -> float:
    model.eval()
    return float(criterion(model(inputs), targets))


def _drawn(generator: torch.Generator | None) -> int:
    return int(torch.empty((), dtype=torch.int64).random_(generator=generator).item())
