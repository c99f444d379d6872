"""What happened in the epochs of a run, its best weights, and whether it is over."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import Tensor, nn

from hotloop.errors import NonFiniteError
from hotloop.train.cadence import follow_epoch
from hotloop.train.metrics import MetricsReport
from hotloop.train.options import UpdateOptions


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One epoch: 1-based number, mean loss over its items, updates, those skipped, and the validation loss.

    `metrics` are the means of what the strategy measured.
    """

    number: int
    loss: float
    updates: int
    skipped: int
    validation: float | None
    metrics: dict[str, float] = field(default_factory=dict[str, float])


class BestWeights:
    """Keeps a copy of the model's state at its lowest score; stops after `patience` scores without a lower one."""

    def __init__(self, model: nn.Module, patience: int | None) -> None:
        self._model, self._patience = model, patience
        self._score = float("inf")
        self._state: dict[str, Tensor] = {}
        self._since = 0
        self.epoch: int | None = None

    def add(self, score: float, epoch: int) -> bool:
        """Take in the score of `epoch`; whether it is time to stop. A NaN is never better."""
        if score < self._score:
            self._score, self.epoch, self._since = score, epoch, 0
            self._state = {name: value.detach().clone() for name, value in self._model.state_dict().items()}
            return False
        self._since += 1
        return self._patience is not None and self._since >= self._patience

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """What a checkpoint needs: figures in JSON types, and the best weights; both for `restore_state`."""
        score = None if self.epoch is None else self._score
        return {"score": score, "epoch": self.epoch, "since": self._since}, self._state

    def restore_state(self, data: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        self._score = float("inf") if data["score"] is None else float(data["score"])
        self.epoch, self._since, self._state = data["epoch"], int(data["since"]), dict(weights)

    def restore(self) -> None:
        """Put the best state back into the model, where one was seen."""
        if self._state:
            self._model.load_state_dict(self._state)


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
        validation = None
        if self._validate is not None and number % self._options.validation_every == 0:
            validation = self._validate()
            self._model.train()
        epoch = Epoch(
            number=number,
            loss=report.loss,
            updates=report.steps,
            skipped=report.num_nonfinite,
            validation=validation,
            metrics=dict(report.metrics),
        )
        self.epochs.append(epoch)
        follow_epoch(self._model, number - 1)
        if self._after_epoch is not None:
            self._after_epoch(epoch)
        if epoch.validation is not None and self.best.add(epoch.validation, number):
            self.stopped_early = True
        return self.stopped_early
