"""Checkpoints of a run: the best estimator, the latest one, and what the next epoch needs to go on from it."""

import math
from typing import Any

from hotloop.runs.checkpoint_file import read_latest, write_latest
from hotloop.runs.folder import RunFolder
from hotloop.train.checkpoint import Checkpoint, TrainingState


class RunRecorder:
    """Writes checkpoints/latest every `every` epochs and checkpoints/best whenever the score is higher than ever.

    The score of an epoch is the validation reward of the weights at its end. `estimator` must be usable by its `save`
    while it is trained.
    """

    def __init__(self, folder: RunFolder, estimator: Any, *, resumes: bool, every: int) -> None:
        self._folder, self._estimator, self._every = folder, estimator, every
        self._checkpoint = read_latest(folder) if resumes else None
        self.entries: list[dict[str, Any]] = [] if self._checkpoint is None else self._checkpoint.data["epochs"]

    @property
    def best(self) -> tuple[int, float] | None:
        """Epoch and reward of the best checkpoint; None before the first."""
        scored = [(float(entry["validation"]), int(entry["number"])) for entry in self.entries]
        finite = [(loss, number) for loss, number in scored if not math.isnan(loss)]
        if not finite:
            return None
        loss, number = min(finite)  # of equal ones the first, which is the one that was written
        return number, -loss

    def begin(self) -> Checkpoint | None:
        return self._checkpoint

    def keep(self, state: TrainingState) -> None:
        before, self.entries = self.best, state.log.entries()
        entry = self.entries[-1]
        self._estimator.history_ = [
            {"epoch": item["number"], "reward": -item["loss"], "validation": -item["validation"]}
            for item in self.entries
        ]
        if self.best != before:
            self._estimator.save(self._folder.checkpoints / "best")
        if entry["number"] % self._every == 0:
            self._estimator.save(self._folder.checkpoints / "latest")
            write_latest(self._folder, state.checkpoint())  # last, because it alone decides where a run goes on
        self._folder.log(
            f"epoch {entry['number']}: reward {-entry['loss']:.6g}, score {-entry['validation']:.6g}"
            + (f", {entry['skipped']} updates skipped" if entry["skipped"] else "")
        )
