"""What happened in the epochs of a run, and whether it is over."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from torch import nn

from hotloop.errors import NonFiniteError
from hotloop.train.best import BestWeights
from hotloop.train.cadence import follow_epoch
from hotloop.train.metrics import MetricsReport
from hotloop.train.options import UpdateOptions


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One epoch: 1-based number, mean loss over its items, updates, those skipped, and the validation loss."""

    number: int
    loss: float
    updates: int
    skipped: int
    validation: float | None


class EpochLog:
    """Records each epoch: its figures, its validation, the best weights; passes it on to the model and the caller."""

    def __init__(
        self,
        model: nn.Module,
        options: UpdateOptions,
        *,
        validate: Callable[[], float] | None,
        after_epoch: Callable[[Epoch], None] | None,
    ) -> None:
        self._model, self._options = model, options
        self._validate, self._after_epoch = validate, after_epoch
        self.best = BestWeights(model, options.patience)
        self.epochs: list[Epoch] = []
        self.stopped_early = False

    def entries(self) -> list[dict[str, Any]]:
        """The epochs in JSON types."""
        return [asdict(epoch) for epoch in self.epochs]

    def restore(self, entries: list[dict[str, Any]]) -> None:
        """Go on after the epochs that `entries` gave."""
        self.epochs = [Epoch(**entry) for entry in entries]
        for epoch in self.epochs:
            follow_epoch(self._model, epoch.number - 1)

    def record(self, report: MetricsReport) -> bool:
        """Whether the run is over after this epoch. Raises NonFiniteError for one with a NaN under "stop"."""
        number = len(self.epochs) + 1
        if report.num_nonfinite and self._options.nonfinite == "stop":
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
        self.epochs.append(epoch)
        follow_epoch(self._model, number - 1)
        if self._after_epoch is not None:
            self._after_epoch(epoch)
        if epoch.validation is not None and self.best.add(epoch.validation, number):
            self.stopped_early = True
        return self.stopped_early

    def _validated(self, number: int) -> float | None:
        if self._validate is None or number % self._options.validation_every:
            return None
        loss = self._validate()
        self._model.train()
        return loss
