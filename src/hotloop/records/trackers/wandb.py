"""Weights & Biases: a run of project `hotloop`, offline unless WANDB_MODE says otherwise."""

import os
from typing import Any, ClassVar

from hotloop.records.tracking import TrackedRun, library


class WandbTracker:
    """Figures in the summary of the run, facts in its config."""

    name: ClassVar[str] = "wandb"

    def write(self, run: TrackedRun) -> str:
        """The folder of the run; `wandb sync` uploads it later."""
        wandb = library("wandb")
        made: Any = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "hotloop"),
            name=f"{run.verb} {run.name}",
            mode=os.environ.get("WANDB_MODE", "offline"),
            config=dict(run.facts),
            settings=wandb.Settings(silent=True, console="off"),
        )
        made.log(dict(run.figures))
        made.finish()
        return str(made.dir)
