"""What travels to a machine that screens and what comes back: one unit, a kept plan and those compared with it."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hotloop.compare.replicate import Replicate
from hotloop.measurement import Clock, Environment
from hotloop.records.documents import from_data, to_data
from hotloop.transform import Plan
from hotloop.worker.spec import read_workload, workload_data
from hotloop.workload import Recipe, Workload


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScreeningUnit:
    """A screening that one machine makes alone: all arms together, the kept plan and its A/A arm among them.

    `seconds` are those of the timed rounds of all `replicates`; `order_seed` is that of the order of turns. The others
    are as in `worker.process.Settings`.
    """

    workload: Workload
    arms: Mapping[str, Plan]
    clock: Clock
    seconds: float
    replicates: int
    order_seed: int
    variables: Mapping[str, str]
    may_overwrite: tuple[str, ...]
    first_step_limit: float
    turn_limit: float

    def to_json(self) -> str:
        """One JSON document."""
        data: dict[str, Any] = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        data["workload"] = workload_data(self.workload)
        data["arms"] = {arm: plan.to_data() for arm, plan in self.arms.items()}
        return json.dumps({**data, "variables": dict(self.variables)})

    @staticmethod
    def from_json(text: str) -> "ScreeningUnit":
        """The inverse of `to_json`."""
        data = json.loads(text)
        data["workload"] = read_workload(data["workload"])
        data["arms"] = {arm: Plan.from_data(plan) for arm, plan in data["arms"].items()}
        data["clock"], data["may_overwrite"] = Clock(data["clock"]), tuple(data["may_overwrite"])
        return ScreeningUnit(**data)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeasuredUnit:
    """What a machine has measured of one unit, on which clock; or why it could not, in `failure`.

    `busy` is how many cores other processes kept busy where that made it measure with one thread, else 0; `memory_note`
    is what a reader must know of arms that memory did not hold together.
    """

    replicates: tuple[Replicate, ...] = ()
    clock: Clock = Clock.WALL
    busy: float = 0.0
    memory_note: str = ""
    failure: str = ""

    def to_json(self) -> str:
        """One JSON document."""
        return json.dumps(to_data(self))

    @staticmethod
    def from_json(text: str) -> "MeasuredUnit":
        """The inverse of `to_json`. Raises ValueError for text that no machine of this version wrote."""
        return from_data(MeasuredUnit, json.loads(text))


@dataclasses.dataclass(frozen=True, kw_only=True)
class MachineDescription:
    """A machine as it describes itself: its environment, and the digest of the program's file there ("" for none)."""

    environment: Environment
    program: str

    def to_json(self) -> str:
        """One JSON document."""
        return json.dumps(to_data(self))

    @staticmethod
    def from_json(text: str) -> "MachineDescription":
        """The inverse of `to_json`. Raises ValueError for text that no machine of this version wrote."""
        return from_data(MachineDescription, json.loads(text))


def program_digest(workload: Workload) -> str:
    """SHA-256 of the file that a workload runs; empty where there is none here, as for a registered name."""
    path = Path(workload.target.partition(":")[0]) if isinstance(workload, Recipe) else workload.path
    file = workload.folder / path
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
