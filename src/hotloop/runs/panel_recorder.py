"""Checkpoints of a run on a panel: where it goes on from."""

from hotloop.runs.checkpoint_file import read_latest, write_latest
from hotloop.runs.folder import RunFolder
from hotloop.train.checkpoint import Checkpoint, TrainingState
from hotloop.train.ranks import Ranks


class PanelRecorder:
    """Writes checkpoints/latest every `every` epochs (0: never), on the first rank; all ranks go on from it."""

    def __init__(self, folder: RunFolder, *, resumes: bool, every: int, ranks: Ranks) -> None:
        self._folder, self._every, self._ranks = folder, every, ranks
        self._checkpoint = read_latest(folder) if resumes else None

    def begin(self) -> Checkpoint | None:
        return self._checkpoint

    def keep(self, state: TrainingState) -> None:
        if not self._every or len(state.log.epochs) % self._every:
            return
        checkpoint = state.checkpoint()  # of all ranks, each of which has a part of it
        if self._ranks.is_first:
            write_latest(self._folder, checkpoint)
