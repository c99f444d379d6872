"""One plan judged by the gates on one program: what came out, and whether a planted fault acted."""

import contextlib
import importlib
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.verify.fault_list import TESTS, TrainingProgram
from hotloop.errors import HotloopError, NotApplicable
from hotloop.transform import Plan, Stage
from hotloop.verdict import Outcome, worst
from hotloop.verify.drift import DriftGate
from hotloop.worker.observation import watch
from hotloop.worker.process import Settings
from hotloop.worker.spec import ObservationSpec
from hotloop.workload import Workload, parse_workload

PLANTED = TESTS / "planted"
_VARIABLE = "PLANTED_ACTED"


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The worst outcome with the messages behind it; CRASH for what is neither a verdict nor an error of the plan's."""

    outcome: str
    message: str
    acted: bool
    seconds: float

    @property
    def to_data(self) -> dict[str, Any]:
        """JSON data."""
        return {
            "outcome": self.outcome,
            "message": self.message,
            "acted": self.acted,
            "seconds": round(self.seconds, 1),
        }


class Bench:
    """The gates of several programs, each alone in a folder, so that its scratch copies are small.

    A context manager: leaving removes the folders. While it is open, this process knows the planted transforms.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="bench-"))
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._listener.bind(str(self._folder / "acted"))
        self._listener.setblocking(False)
        self._workload: Workload | None = None
        self._settings = Settings(folder=self._folder / "session")
        os.environ[_VARIABLE] = str(self._folder / "acted")
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(PLANTED), os.environ.get("PYTHONPATH", "")]))
        sys.path.insert(0, str(PLANTED))
        importlib.invalidate_caches()

    def __enter__(self) -> "Bench":
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        del os.environ[_VARIABLE]
        sys.path.remove(str(PLANTED))
        shutil.rmtree(self._folder, ignore_errors=True)

    def gate(self, program: TrainingProgram) -> DriftGate:
        """Its gate; the untransformed program has been run."""
        home = Path(tempfile.mkdtemp(dir=self._folder))
        root = TESTS.parent if program.path.startswith("examples") else TESTS
        source = root / program.path  # an absolute path stays as it is
        if source.parent.name == "beside":
            shutil.copytree(source.parent, home, dirs_exist_ok=True)
        else:
            shutil.copy(source, home)
        self._workload = parse_workload(source.name, program.arguments, folder=home)
        gate = DriftGate(self._workload, self._settings, steps=program.steps)
        gate.prepare()
        return gate

    def refusal(self, tables: Sequence[dict[str, Any]]) -> str | None:
        """Why a plan has nothing to act on in the program of the last gate; None where each transform acts."""
        plan, spec = Plan.from_data(tables), ObservationSpec(steps=2, seed=0, losses_only=True)
        if not tables or plan.at(Stage.LAUNCH):
            return None
        try:
            (run,) = watch(self._workload, [(plan, spec)], self._settings)
        except NotApplicable as reason:
            return str(reason)
        except HotloopError:  # the gate meets it too, and says so
            return None
        idle = [name for name, sites in run.applied.items() if not sites]
        return run.refused.get(idle[0], "the program never showed it a site") if idle else None

    def judge(self, gate: DriftGate, tables: Sequence[dict[str, Any]]) -> Judged:
        """What comes out for a plan. A plan under which the program fails is refused, as it is by hotloop."""
        began = time.perf_counter()
        outcome, message = _judged(gate, Plan.from_data(tables))
        return Judged(outcome=outcome, message=message, acted=self._heard(), seconds=time.perf_counter() - began)

    def _heard(self) -> bool:
        heard = False
        with contextlib.suppress(BlockingIOError):
            while self._listener.recv(64):
                heard = True
        return heard


def _judged(gate: DriftGate, plan: Plan) -> tuple[str, str]:
    try:
        result = gate.check(plan)
    except HotloopError as error:
        return "FAIL", f"{type(error).__name__}: {error}"[:400]
    except Exception as error:  # noqa: BLE001  # hotloop's own, which is what is looked for
        return "CRASH", f"{type(error).__name__}: {error}"[:400]
    outcome = worst(result.verdicts)
    told = [v.message for v in result.verdicts if outcome is Outcome.PASS or v.outcome is outcome]
    return outcome.value, "; ".join(told)[:600]
