"""Checkpoints of a run on a panel: where it goes on from."""

from hotloop.runs.checkpoint_file import STATE, read_checkpoint, write_checkpoint
from hotloop.runs.folder import RunFolder
from hotloop.train.checkpoint import Checkpoint, TrainingState
from hotloop.train.ranks import Ranks


class PanelRecorder:
    """Writes checkpoints/latest every `every` epochs (0: never), on the first rank; all ranks go on from it."""

    def __init__(self, folder: RunFolder, *, resumes: bool, every: int, ranks: Ranks) -> None:
        self._every, self._ranks = every, ranks
        self._latest = folder.checkpoints / "latest"
        self._checkpoint = read_checkpoint(self._latest / STATE) if resumes else None

    def begin(self) -> Checkpoint | None:
        return self._checkpoint

    def keep(self, state: TrainingState) -> None:
        if not self._every or len(state.log.epochs) % self._every:
            return
        checkpoint = state.checkpoint()  # of all ranks, each of which has a part of it
        if self._ranks.is_first:
            self._latest.mkdir(parents=True, exist_ok=True)
            write_checkpoint(self._latest / STATE, checkpoint)
