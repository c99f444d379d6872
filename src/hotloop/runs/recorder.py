"""Checkpoints of a run: the best estimator, the latest one, and what the next epoch needs to go on from it."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hotloop.errors import ConfigError
from hotloop.runs.folder import RunFolder
from hotloop.train.resumption import Course, CourseState, state_of
from hotloop.whole_file import whole_file

_STATE = "training.safetensors"


class RunRecorder:
    """Writes checkpoints/latest every `every` epochs and checkpoints/best whenever the score is higher than ever.

    The score of an epoch is the validation reward of the weights at its end. `estimator` must be usable by its `save`
    while it is trained.
    """

    def __init__(self, folder: RunFolder, estimator: Any, *, resumes: bool, every: int) -> None:
        self._folder, self._estimator, self._every = folder, estimator, every
        self.state = _read(folder.checkpoints / "latest" / _STATE) if resumes else None
        self.entries: list[dict[str, Any]] = [] if self.state is None else list(self.state.data["epochs"])

    @property
    def best(self) -> tuple[int, float] | None:
        """Epoch and reward of the best checkpoint; None before the first."""
        scored = [(float(entry["validation"]), int(entry["number"])) for entry in self.entries]
        finite = [(loss, number) for loss, number in scored if not math.isnan(loss)]
        if not finite:
            return None
        loss, number = min(finite)  # of equal ones the first, which is the one that was written
        return number, -loss

    def begin(self) -> CourseState | None:
        """Where to go on; None for a new run."""
        return self.state

    def keep(self, course: Course) -> None:
        """Write what is due after an epoch."""
        before, self.entries = self.best, course.entries
        entry = course.entries[-1]
        self._estimator.history_ = [_as_history(item) for item in course.entries]
        if self.best != before:
            self._estimator.save(self._folder.checkpoints / "best")
        if entry["number"] % self._every == 0:
            self.write_latest(course)
        self._folder.say(
            f"epoch {entry['number']}: reward {-entry['loss']:.6g}, score {-entry['validation']:.6g}"
            + (f", {entry['skipped']} updates skipped" if entry["skipped"] else "")
        )

    def write_latest(self, course: Course) -> None:
        """Write the estimator as it is, and then the state, which alone decides where a run goes on."""
        latest = self._folder.checkpoints / "latest"
        self._estimator.save(latest)
        _write(latest / _STATE, state_of(course))


def _as_history(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {"epoch": entry["number"], "reward": -entry["loss"], "validation": -entry["validation"]}


def _write(path: Path, state: CourseState) -> None:
    from safetensors.torch import save_file

    with whole_file(path) as temporary:
        save_file(state.tensors, temporary, metadata={"course": json.dumps(state.data)})


def _read(path: Path) -> CourseState:
    from safetensors import safe_open

    if not path.is_file():
        raise ConfigError(f"{path} does not exist: the run was cut off before its first checkpoint; start it anew")
    with safe_open(path, framework="pt") as archive:
        data = json.loads((archive.metadata() or {})["course"])
        return CourseState(tensors={name: archive.get_tensor(name) for name in archive.keys()}, data=data)  # noqa: SIM118
