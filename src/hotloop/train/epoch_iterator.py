"""The epochs of a run, one after another, each after everything that is due before it."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from torch import nn

from hotloop.train.assembly import StepAssembly
from hotloop.train.cadence import StateCadence


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
        """Go on as after so many epochs."""
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
