"""Gate 1 for recipes, against fp64, in a process of its own: it builds the job many times and switches precisions.

Run as a module with recipe and plan as JSON; its last line on stdout is the verdict.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict

from hotloop.errors import NotApplicable, WorkloadCrashed
from hotloop.transform import Plan, limit_met
from hotloop.verdict import Outcome, Verdict, does_not_apply
from hotloop.worker.process import Settings
from hotloop.worker.spec import read_workload, workload_data
from hotloop.workload import Job, Recipe
from hotloop.workloads.started_plan import start_with_job


def check_recipe(recipe: Recipe, plan: Plan, settings: Settings, *, limit: float = 900.0) -> Verdict:
    """Whether one step under `plan` is as near to fp64 as its promise says. Raises WorkloadCrashed where it crashes."""
    variables = {**os.environ, **settings.variables, "OMP_NUM_THREADS": "1"}
    variables["TORCHINDUCTOR_CACHE_DIR"] = str(settings.cache / "inductor")
    spec = json.dumps({"workload": workload_data(recipe), "plan": plan.to_data()})
    call = [sys.executable, "-P", "-m", "hotloop.verify.recipe_gate", spec]
    try:
        done = subprocess.run(
            call, cwd=recipe.folder, env=variables, capture_output=True, text=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        message = f"the comparison with fp64 took longer than {limit:.0f} s, so it could not be made"
        return Verdict(gate="step", outcome=Outcome.INCONCLUSIVE, message=message)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise WorkloadCrashed(f"one step under the plan failed: {last}", kind="step", traceback=done.stderr)
    data = json.loads(done.stdout.splitlines()[-1])
    return Verdict(
        gate=data["gate"], outcome=Outcome(data["outcome"]), message=data["message"], numbers=data["numbers"]
    )


def _apply(plan: Plan, job: Job) -> None:
    """Apply a plan to a job that is already built. Raises NotApplicable for what was refused at each of its sites."""
    started = start_with_job(plan, job)
    for name, reason in started.refused.items():
        if not started.applied[name]:
            raise NotApplicable(reason)


def main() -> None:
    """The process: its argument is what `check_recipe` wrote."""
    from hotloop.verify.equivalence import check_equivalence
    from hotloop.workloads.program import load_build

    spec = json.loads(sys.argv[1])
    recipe, plan = read_workload(spec["workload"]), Plan.from_data(spec["plan"])
    assert isinstance(recipe, Recipe)
    build = load_build(recipe)
    try:
        verdict = check_equivalence(
            lambda: build(recipe.seed), lambda job: _apply(plan, job), promise=plan.promise, roundoff=plan.roundoff
        )
    except NotApplicable as reason:
        verdict = does_not_apply(reason)
    except RuntimeError as error:
        limit = limit_met(plan, error)
        if limit is None:
            raise
        verdict = does_not_apply(limit)
    sys.stdout.write("\n" + json.dumps({**asdict(verdict), "outcome": verdict.outcome.value}) + "\n")


if __name__ == "__main__":
    main()
