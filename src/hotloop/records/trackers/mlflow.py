"""MLflow: a run in the store that MLFLOW_TRACKING_URI names, else in `mlflow.db` here."""

import os
from typing import ClassVar

from hotloop.records.tracking import TrackedRun, library, plain_name

_EXPERIMENT = "hotloop"
_LONGEST = 500  # characters that MLflow takes for the value of a parameter on every store


class MlflowTracker:
    """Figures as metrics, facts as tags."""

    name: ClassVar[str] = "mlflow"

    def write(self, run: TrackedRun) -> str:
        """The number of the run."""
        client = library("mlflow").MlflowClient(os.environ.get("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db"))
        experiment = client.get_experiment_by_name(_EXPERIMENT)
        number = client.create_experiment(_EXPERIMENT) if experiment is None else experiment.experiment_id
        made = client.create_run(number, run_name=f"{run.verb} {run.name}")
        for name, value in run.figures.items():
            client.log_metric(made.info.run_id, plain_name(name), value)
        for name, value in {"verb": run.verb, **run.facts}.items():
            client.set_tag(made.info.run_id, name, value[:_LONGEST])
        client.set_terminated(made.info.run_id)
        return str(made.info.run_id)
