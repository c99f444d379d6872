"""The machines of a running Ray cluster that are of this machine's kind (`hotloop tune --executor ray`)."""

import contextlib
import importlib
import json
import os
import socket
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from hotloop.errors import ClusterError
from hotloop.proof.session import Session
from hotloop.tune.fan_out import refusal
from hotloop.tune.screening_unit import MachineDescription, MeasuredUnit, ScreeningUnit, program_digest
from hotloop.tune.unit_runner import UnitRunner
from hotloop.worker.spec import workload_data

_ANSWERS = 60.0  # seconds in which a machine must say what it is
_REACHED = 10.0
_CLOSES = 10.0
_PATIENCE = 2.5  # budgets that one unit may take


class RayMachines:
    """One runner on each node, which holds all that Ray counts there: nothing else of the cluster runs beside it."""

    def __init__(self, ray: Any, runners: Mapping[str, Any], *, limit: float) -> None:
        self._ray, self._runners, self._limit = ray, dict(runners), limit

    @property
    def names(self) -> Sequence[str]:
        """Host names of those that have not failed."""
        return list(self._runners)

    def measure(self, units: Mapping[str, ScreeningUnit]) -> Mapping[str, MeasuredUnit]:
        """As `fan_out.Machines`. A machine is given up after two and a half budgets without an answer."""
        asked = {name: self._runners[name].measure.remote(unit.to_json()) for name, unit in units.items()}
        return {name: self._measured(name, reference) for name, reference in asked.items()}

    def _measured(self, name: str, reference: Any) -> MeasuredUnit:
        try:
            found = MeasuredUnit.from_json(self._ray.get(reference, timeout=self._limit))
        except self._ray.exceptions.RayError as error:
            found = MeasuredUnit(failure=_told(error, self._limit))
        if found.failure:
            _end(self._ray, self._runners.pop(name))
        return found

    def close(self) -> None:
        """End all runners."""
        for runner in self._runners.values():
            _end(self._ray, runner)


@contextmanager
def open_ray_machines(session: Session) -> Generator[RayMachines]:
    """The machines of the cluster that RAY_ADDRESS names, or that runs on this machine.

    One of another kind, or without the same program at the same path, is left out with the reason in the session's
    notes. Raises ClusterError without Ray, without a cluster, or where no machine is left.
    """
    ray = _library()
    was_connected = ray.is_initialized()
    if not was_connected:
        _connect(ray)
    try:
        machines = RayMachines(ray, _runners(ray, session), limit=_PATIENCE * session.options.budget)
        try:
            yield machines
        finally:
            machines.close()
    finally:
        if not was_connected:
            ray.shutdown()


def _library() -> Any:
    try:
        ray = importlib.import_module("ray")
        importlib.import_module("ray.util.scheduling_strategies")
    except ModuleNotFoundError as error:
        raise ClusterError(
            f"--executor ray needs {error.name}, which is not installed; run pip install 'hotloop[ray]' on all machines"
        ) from error
    return ray


def _connect(ray: Any) -> None:
    host, _, port = os.environ.get("RAY_ADDRESS", "").rpartition("//")[2].rpartition(":")
    try:
        if port.isdecimal():  # where nobody listens Ray itself tries again for many minutes
            socket.create_connection((host, int(port)), timeout=_REACHED).close()
        ray.init(address="auto", namespace="hotloop", log_to_driver=False, logging_level="ERROR")
    except (OSError, RuntimeError, ValueError) as error:  # none runs, of another version, or a bad address
        raise ClusterError(
            f"no Ray cluster could be reached ({str(error).splitlines()[0]}); run ray start --head here and ray start "
            "--address=HOST:6379 on the other machines, or set RAY_ADDRESS"
        ) from error


def _runners(ray: Any, session: Session) -> dict[str, Any]:
    """A runner on each node that may measure, by host name; the session is told of the others."""
    started = _started(ray, session)
    workload = json.dumps(workload_data(session.workload))
    asked = {name: runner.describe.remote(workload) for name, runner in started.items()}
    here = MachineDescription(environment=session.environment, program=program_digest(session.workload))
    refused: list[str] = []
    for name, reference in asked.items():
        try:
            reason = refusal(here, MachineDescription.from_json(ray.get(reference, timeout=_ANSWERS)))
        except ray.exceptions.RayError as error:
            reason = _told(error, _ANSWERS)
        if reason:
            session.note(f"{name} measures nothing: {reason}")
            refused.append(f"{name}: {reason}")
            _end(ray, started.pop(name))
    if not started:
        raise ClusterError(
            f"no machine of the Ray cluster can measure; {'; '.join(refused) or 'it has none with cores'}"
        )
    session.note(f"screened over {len(started)} machines of the Ray cluster: {', '.join(started)}")
    return started


def _started(ray: Any, session: Session) -> dict[str, Any]:
    strategies = importlib.import_module("ray.util.scheduling_strategies")
    variables = json.dumps(dict(os.environ))
    runners: dict[str, Any] = {}
    seen: Counter[str] = Counter()
    for node in sorted(ray.nodes(), key=lambda node: node["NodeID"]):
        host, has = str(node["NodeManagerHostname"]), node["Resources"]
        if not node["Alive"]:
            continue
        seen[host] += 1
        name = host if seen[host] == 1 else f"{host} ({seen[host]})"
        if not has.get("CPU"):
            session.note(f"{name} measures nothing: Ray counts no cores there")
            continue
        place = strategies.NodeAffinitySchedulingStrategy(node_id=node["NodeID"], soft=False)
        whole = {"num_cpus": has["CPU"], "num_gpus": has.get("GPU", 0)}
        runner: Any = ray.remote(UnitRunner).options(**whole, scheduling_strategy=place, max_restarts=0)
        runners[name] = runner.remote(variables)
    return runners


def _told(error: Exception, limit: float) -> str:
    """Why a machine gave no answer, in one line."""
    if isinstance(error, TimeoutError):
        return f"no answer within {limit:.0f} s: other jobs of the cluster may have its cores"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _end(ray: Any, runner: Any) -> None:
    """End a runner, if it still answers after it has removed its folder; the next session removes what is left."""
    with contextlib.suppress(ray.exceptions.RayError):
        ray.get(runner.close.remote(), timeout=_CLOSES)
    ray.kill(runner)
