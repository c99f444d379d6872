"""TensorBoard: an event file under `runs/`, or under the folder that TENSORBOARD_DIR names."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from hotloop.records.tracking import TrackedRun, library


class TensorBoardTracker:
    """Figures as scalars of step 0, facts as text."""

    name: ClassVar[str] = "tensorboard"

    def write(self, run: TrackedRun) -> str:
        """The folder of the event file."""
        library("tensorboard")
        folder = Path(os.environ.get("TENSORBOARD_DIR", "runs"))
        path = folder / f"hotloop-{run.verb}-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
        writer = library("torch.utils.tensorboard").SummaryWriter(str(path))
        try:
            for name, value in run.figures.items():
                writer.add_scalar(name, value, 0)
            for name, value in {"name": run.name, **run.facts}.items():
                writer.add_text(name, value, 0)
        finally:
            writer.close()
        return str(path)
