"""What a process of `hotloop bench` is asked to measure, beside the workload and the plan."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from hotloop.workloads.matrix.matrix import MatrixRow


class Asked(BaseModel):
    """How many steps to time, and how; `model` is None where the workload is a recipe or a script.

    `trace` is the file for a chrome trace, with which nothing is timed.
    """

    model_config = ConfigDict(frozen=True)

    model: MatrixRow | None = None
    steps: int = 30
    warmup: int = 3
    converge: int = 100
    seed: int = 0
    clock: Literal["wall", "cpu"] = "wall"
    trace: str = ""
