"""Checkpoints of a run of PPO: where it goes on from, and weights that are kept as opponents."""

from pathlib import Path

from hotloop.runs.checkpoint_file import read_latest, write_latest
from hotloop.runs.folder import RunFolder
from hotloop.runs.weights import write_weights
from hotloop.train.checkpoint import Checkpoint, TrainingState


class PPORecorder:
    """Writes checkpoints/latest every `every` updates (0: never), and weights every `keep_every`."""

    def __init__(self, folder: RunFolder, *, resumes: bool, every: int, keep_every: int) -> None:
        self._folder, self._every, self._keep_every = folder, every, keep_every
        self._checkpoint = read_latest(folder) if resumes else None

    @property
    def events_kept(self) -> int:
        """How many events of the environment came before the checkpoint that the run goes on from."""
        if self._checkpoint is None:
            return 0
        return int(self._checkpoint.data["batches"]["rollout"]["environment"].get("events", 0))

    def begin(self) -> Checkpoint | None:
        return self._checkpoint

    def keep(self, state: TrainingState) -> None:
        update = len(state.log.epochs)
        if self._keep_every and update % self._keep_every == 0:
            write_weights(kept_weights(self._folder, update), state.model)
        if self._every and update % self._every == 0:
            write_latest(self._folder, state.checkpoint())


def kept_weights(folder: RunFolder, update: int) -> Path:
    """Where the weights after an update are kept."""
    return folder.checkpoints / f"update-{update:06d}" / "model.safetensors"


def all_kept(folder: RunFolder) -> list[tuple[int, Path]]:
    """The updates whose weights were kept, and their files, in order."""
    found = sorted(folder.checkpoints.glob("update-*/model.safetensors"))
    return [(int(path.parent.name.removeprefix("update-")), path) for path in found]
