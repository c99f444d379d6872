"""Trains for real under a plan: in the user's own folder, with the user's own files, watched by a monitor.

`launch` replaces the calling process, because allocators and OpenMP must be set before a process starts; the new
process runs this file as a module.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from hotloop.deploy.compiled_code import find_compiled
from hotloop.errors import NotApplicable
from hotloop.transform import Plan, Stage, limit_met
from hotloop.worker.spec import read_workload, workload_data
from hotloop.workload import Workload


def launch(workload: Workload, plan: Plan, *, proof: Path, is_strict: bool = False) -> NoReturn:
    """Become the training program under `plan`. `proof` is the result.json beside the plan, if there is one.

    Where it `is_strict`, what `TrainingMonitor` finds may end the program with exit code 1.

    Raises NotApplicable where the process cannot be started as the plan says.
    """
    variables = dict(os.environ)
    for transform in plan.at(Stage.LAUNCH):
        transform.apply(variables)
    said = find_compiled(workload, plan, variables)
    if said:
        sys.stderr.write(f"hotloop: {said}\n")
    spec: dict[str, Any] = {"workload": workload_data(workload), "plan": plan.to_data(), "proof": str(proof.resolve())}
    spec["is_strict"] = is_strict
    arguments = [sys.executable, "-P", "-m", "hotloop.deploy.launch", json.dumps(spec)]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, arguments, variables)


def _train(spec: dict[str, Any]) -> None:
    from hotloop.deploy.monitor import TrainingMonitor
    from hotloop.workloads.program import run
    from hotloop.workloads.started_plan import start

    plan = Plan.from_data(spec["plan"])
    started = start(plan)
    monitor = TrainingMonitor(started, proven_step=_proven_step(Path(spec["proof"]), plan), is_strict=spec["is_strict"])
    try:
        run(read_workload(spec["workload"]), started, monitor)
    except Exception as error:
        limit = limit_met(plan, error)
        if limit is not None:
            error.add_note(f"hotloop: {limit}; leave it out of the plan")
        raise
    finally:
        monitor.close()


def _proven_step(proof: Path, plan: Plan) -> float | None:
    """Seconds of a step that were proven for this very plan on the wall clock; None without such a proof."""
    if not proof.is_file():
        return None
    result = json.loads(proof.read_text(encoding="utf-8"))
    speedup = result.get("speedup")
    if (
        result.get("plan") != plan.to_data()
        or not speedup
        or speedup.get("clock") != "wall"
        or not result.get("baseline_step")
    ):
        return None
    return float(result["baseline_step"]) / float(speedup["low"] or 1.0)


def main() -> None:
    """The new process: its argument is what `launch` wrote, as JSON."""
    try:
        _train(json.loads(sys.argv[1]))
    except NotApplicable as reason:
        sys.stderr.write(f"hotloop: {reason}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
