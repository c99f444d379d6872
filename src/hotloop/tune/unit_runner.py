"""Measures screening units on the machine that it runs on, one after another. It is told and answers in JSON text."""

import fcntl
import getpass
import json
import os
import random
import sys
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from hotloop.compare.replicate import Setup
from hotloop.compare.series import ReplicateSeries
from hotloop.errors import HotloopError
from hotloop.machine.environment import CONTENDED, cores, foreign_cores, record_environment
from hotloop.machine.nvidia import installed_gpus
from hotloop.measurement import Clock
from hotloop.proof.session_folder import session_folder
from hotloop.tune.screening import KEPT, screening_pace
from hotloop.tune.screening_unit import MachineDescription, MeasuredUnit, ScreeningUnit, program_digest
from hotloop.worker.admission import Admission
from hotloop.worker.process import Settings
from hotloop.worker.spec import read_workload

_OF_THE_MACHINE = ("HOSTNAME", "TMPDIR")
_OF_THE_CLUSTER = "RAY_"


class UnitRunner:
    """One machine's part: a folder of caches that lasts over its units, and what a worker was seen to take."""

    def __init__(self, variables: str) -> None:
        self._session = session_folder()
        self._folder = self._session.__enter__()
        self._admission = Admission()
        _take_over(json.loads(variables))

    def describe(self, workload: str) -> str:
        """A MachineDescription of this machine, for a workload."""
        there = read_workload(json.loads(workload))
        environment = record_environment(tuple(sys.argv), there.folder)
        return MachineDescription(environment=environment, program=program_digest(there)).to_json()

    def measure(self, text: str) -> str:
        """The MeasuredUnit of a ScreeningUnit. Where two runners share a machine, one waits for the other."""
        unit = ScreeningUnit.from_json(text)
        with _alone_on_this_machine():
            try:
                return self._measured(unit).to_json()
            except HotloopError as error:
                return MeasuredUnit(failure=str(error)).to_json()

    def close(self) -> None:
        """Remove the folder."""
        self._session.__exit__(None, None, None)

    def _measured(self, unit: ScreeningUnit) -> MeasuredUnit:
        busy = 0.0 if unit.variables.get("OMP_NUM_THREADS") == "1" else foreign_cores()
        busy = busy if busy >= CONTENDED else 0.0
        one_thread = {"OMP_NUM_THREADS": "1"} if busy else {}
        clock = Clock.CPU if busy and unit.clock is Clock.WALL and not installed_gpus() else unit.clock
        settings = Settings(
            folder=self._folder,
            variables={**unit.variables, **one_thread},
            cores=cores(),
            may_overwrite=unit.may_overwrite,
            first_step_limit=unit.first_step_limit,
            turn_limit=unit.turn_limit,
            admission=self._admission,
        )
        order = random.Random(unit.order_seed)
        setup = Setup(workload=unit.workload, settings=settings, baseline=KEPT, order=order)
        series = ReplicateSeries(setup, unit.arms, clock=clock)
        for _ in range(unit.replicates):
            series.measure(screening_pace(unit.seconds / unit.replicates))
        return MeasuredUnit(replicates=tuple(series.replicates), clock=clock, busy=busy, memory_note=series.memory_note)


def _take_over(variables: Mapping[str, str]) -> None:
    """Give this process the variables of the one that asks: a cluster sets its own, as the number of threads."""
    for name in list(os.environ):
        if not name.startswith(_OF_THE_CLUSTER) and name not in _OF_THE_MACHINE:
            del os.environ[name]
    own = {n: v for n, v in variables.items() if not n.startswith(_OF_THE_CLUSTER) and n not in _OF_THE_MACHINE}
    os.environ.update(own)


@contextmanager
def _alone_on_this_machine() -> Generator[None]:
    """Wait until no other runner measures here: two that measure at once would disturb each other."""
    path = Path(tempfile.gettempdir()) / f"hotloop-measuring-{getpass.getuser()}"
    with path.open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
