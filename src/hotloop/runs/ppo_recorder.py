"""Checkpoints of a run of PPO: where it goes on from, and weights that are kept as opponents."""

from pathlib import Path

from hotloop.errors import ConfigError
from hotloop.runs.checkpoint_file import read_latest, write_latest
from hotloop.runs.folder import RunFolder
from hotloop.runs.weights import write_weights
from hotloop.train.checkpoint import Checkpoint, TrainingState
from hotloop.train.ppo.rank_state import unpacked
from hotloop.train.ranks import Ranks


class PPORecorder:
    """Writes checkpoints/latest every `every` updates (0: never), and weights every `keep_every`, on the first rank."""

    def __init__(
        self, folder: RunFolder, *, resumes: bool, every: int, keep_every: int, ranks: Ranks | None = None
    ) -> None:
        self._folder, self._every, self._keep_every = folder, every, keep_every
        self._is_first = (ranks or Ranks()).is_first
        self._checkpoint = read_latest(folder) if resumes else None
        if self._checkpoint is not None:
            _check_ranks(self._checkpoint, (ranks or Ranks()).size)

    @property
    def events_kept(self) -> int:
        """How many events of the environment came before the checkpoint that the run goes on from."""
        if self._checkpoint is None:
            return 0
        batches = self._checkpoint.data["batches"]
        if "ranks" in batches:  # then the batches of each rank are packed; the first one writes events
            batches = unpacked(self._checkpoint.tensors["batches.0"])[0]
        return int(batches["rollout"]["environment"].get("events", 0))

    def begin(self) -> Checkpoint | None:
        return self._checkpoint

    def keep(self, state: TrainingState) -> None:
        update = len(state.log.epochs)
        if self._keep_every and update % self._keep_every == 0 and self._is_first:
            write_weights(kept_weights(self._folder, update), state.model)
        if self._every and update % self._every == 0:
            checkpoint = state.checkpoint()  # of all ranks, each of which has a part of it
            if self._is_first:
                write_latest(self._folder, checkpoint)


def _check_ranks(checkpoint: Checkpoint, size: int) -> None:
    had = checkpoint.data["batches"].get("ranks", 1)
    if had != size:
        raise ConfigError(
            f"the run had {had} ranks and goes on with {size}; its environments would be others: start as many"
        )


def kept_weights(folder: RunFolder, update: int) -> Path:
    """Where the weights after an update are kept."""
    return folder.checkpoints / f"update-{update:06d}" / "model.safetensors"


def all_kept(folder: RunFolder) -> list[tuple[int, Path]]:
    """The updates whose weights were kept, and their files, in order."""
    found = sorted(folder.checkpoints.glob("update-*/model.safetensors"))
    return [(int(path.parent.name.removeprefix("update-")), path) for path in found]
