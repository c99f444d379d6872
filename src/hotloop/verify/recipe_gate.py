"""Gate 1 for recipes, against fp64, in a process of its own: it builds the job many times and switches precisions.

Run as a module with an order as JSON; its last line on stdout is the verdict.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from typing import Any

from hotloop.errors import NotApplicable, WorkloadCrashed
from hotloop.transform import OptimizerSite, Plan, Stage, Transform
from hotloop.verdict import Outcome, Verdict
from hotloop.worker.process import Settings
from hotloop.worker.spec import read_workload, workload_data
from hotloop.workload import Job, Recipe


def check_recipe(recipe: Recipe, plan: Plan, settings: Settings, *, limit: float = 900.0) -> Verdict:
    """Whether one step under `plan` is as near to fp64 as its promise says. Raises WorkloadCrashed where it crashes."""
    variables = {**os.environ, **settings.variables, "OMP_NUM_THREADS": "1"}
    variables["TORCHINDUCTOR_CACHE_DIR"] = str(settings.cache / "inductor")
    order = json.dumps({"workload": workload_data(recipe), "plan": plan.to_data()})
    call = [sys.executable, "-P", "-m", "hotloop.verify.recipe_gate", order]
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
    """Apply a plan to a job that is already built. Raises NotApplicable for what no place of its stage takes."""
    sites: list[tuple[Stage, list[Any]]] = [
        (Stage.TORCH, [None]),
        (Stage.OPTIMIZER, [OptimizerSite(kind=type(job.optimizer), defaults=g) for g in job.optimizer.param_groups]),
        (Stage.MODULE, [job.model]),
        (Stage.STEP, [job]),
    ]
    for stage, places in sites:
        for transform in plan.at(stage):
            _apply_somewhere(transform, places)


def _apply_somewhere(transform: Transform, places: list[Any]) -> None:
    refusal: NotApplicable | None = None
    taken = 0
    for place in places:
        try:
            transform.apply(place)
            taken += 1
        except NotApplicable as reason:
            refusal = reason
    if refusal is not None and not taken:
        raise refusal


def main() -> None:
    """The process: its argument is the order."""
    from hotloop.verify.equivalence import check_equivalence
    from hotloop.workloads.program import load_build

    order = json.loads(sys.argv[1])
    recipe, plan = read_workload(order["workload"]), Plan.from_data(order["plan"])
    assert isinstance(recipe, Recipe)
    build = load_build(recipe)
    try:
        verdict = check_equivalence(
            lambda: build(recipe.seed), lambda job: _apply(plan, job), promise=plan.promise, roundoff=plan.roundoff
        )
    except NotApplicable as reason:
        verdict = Verdict(gate="applies", outcome=Outcome.FAIL, message=f"does not apply here: {reason}")
    sys.stdout.write("\n" + json.dumps({**asdict(verdict), "outcome": verdict.outcome.value}) + "\n")


if __name__ == "__main__":
    main()
