"""CPU seconds up to the end of the first step under `compile`, cold and with a bundle, each in fresh processes.

    python benchmarks/deploy/warm_start.py

Each of the three examples runs cold (empty cache folders, torch's own among them), is warmed by `hotloop cache warm`,
and runs again, `--times` times in turn. CPU time of the process and of the compilers that it started. Two clocks: from
the first call of the model on, which is what compiling adds, with the time that finding and copying the bundle takes;
and from the loaded torch on, with what the program does before that call in either case: its other imports, its data,
its model, and its optimizer, for which torch imports Dynamo without `compile` as well.
Writes benchmarks/results/<machine>/warm_start.json.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "compare"))
from simulate import machine

from hotloop.deploy.compiled_code import find_compiled
from hotloop.transform import Plan
from hotloop.whole_file import write_whole
from hotloop.worker.spec import workload_data
from hotloop.workload import parse_workload

ROOT = Path(__file__).parents[2]
PROGRAMS = ("char_gpt.py", "resnet_cifar_like.py", "tabular_mlp.py")
PLAN = '[[transform]]\nname = "compile"\n'
CLOCKS = ("from the first call", "from the loaded torch")
# Runs a program under hotloop's plan, and ends the process when its first step has ended.
FIRST_STEP = """
import json, os, resource, sys
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

def seconds():
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)

loaded = seconds()
from hotloop.transform import Stage
from hotloop.workloads.started_plan import StartedPlan
called, visit = [], StartedPlan.visit
def visited(self, stage, site):
    if stage is Stage.MODULE:  # the plan meets the model in its first call
        called.append(seconds())
    visit(self, stage, site)
StartedPlan.visit = visited
def stepped(*_):
    from torch._dynamo.utils import counters
    from torch._inductor.async_compile import shutdown_compile_workers
    shutdown_compile_workers()
    ended = seconds()
    caches = {name: count for kind in ("inductor", "aot_autograd") for name, count in counters[kind].items()
              if "cache_hit" in name or "cache_miss" in name or "cache_bypass" in name}
    print("first step", json.dumps({"seconds": [ended - called[0], ended - loaded], "caches": caches}), flush=True)
    os._exit(0)
register_optimizer_step_post_hook(stepped)
sys.argv = sys.argv[1:]
from hotloop.deploy import launch
sys.argv = ["launch", sys.argv[0]]
launch.main()
"""


def first_step(program: str, plan: Path, variables: dict[str, str]) -> tuple[list[float], dict[str, int]]:
    """CPU seconds to the end of the first step by both clocks, and what torch's caches answered."""
    workload, loaded = parse_workload(f"examples/{program}", folder=ROOT), Plan.load(plan)
    environment = {**os.environ, **variables}
    began = time.process_time()
    find_compiled(workload, loaded, environment)
    found = time.process_time() - began
    spec = {"workload": workload_data(workload), "plan": loaded.to_data(), "proof": "/nonexistent", "is_strict": False}
    done = subprocess.run(
        [sys.executable, "-P", "-c", FIRST_STEP, json.dumps(spec)],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout.rsplit("first step", 1)[1].splitlines()[0])
    return [found + seconds for seconds in told["seconds"]], told["caches"]


def measured(program: str, *, times: int) -> dict[str, Any]:
    """Cold and warm in turn; every cold run and every bundle has folders of its own."""
    samples: dict[str, list[list[float]]] = {"cold": [], "warm": []}
    caches: dict[str, dict[str, int]] = {}
    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder:
            plan = Path(folder, "plan.toml")
            plan.write_text(PLAN)
            variables = {"TMPDIR": folder, "HOTLOOP_CACHE": f"{folder}/hotloop", "TORCHINDUCTOR_COMPILE_THREADS": "1"}
            os.environ["HOTLOOP_CACHE"] = variables["HOTLOOP_CACHE"]
            for state, runs in samples.items():
                found, caches[state] = first_step(program, plan, {**variables, "TMPDIR": tempfile.mkdtemp(dir=folder)})
                runs.append(found)
                if state == "cold":
                    call = [sys.executable, "-m", "hotloop", "cache", "warm", f"examples/{program}"]
                    environment = {**os.environ, **variables}
                    subprocess.run(
                        [*call, "--plan", str(plan)], cwd=ROOT, env=environment, check=True, capture_output=True
                    )
    ratios: dict[str, Any] = {}
    for number, clock in enumerate(CLOCKS):
        cold, warm = ([run[number] for run in runs] for runs in samples.values())
        each = [a / b for a, b in zip(cold, warm, strict=True)]
        ratios[clock] = {"cold_over_warm": sum(cold) / sum(warm), "low": min(each), "high": max(each)}
        ratios[clock] |= {"cold_cpu_seconds": cold, "warm_cpu_seconds": warm}
    return {"program": program, "clocks": ratios, "caches": caches}


def main() -> None:
    """Measure all programs and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--programs", nargs="+", choices=PROGRAMS, default=list(PROGRAMS))
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for program in given.programs:
        rows.append(measured(program, times=given.times))
        print(rows[-1], flush=True)
    path = given.out or ROOT / "benchmarks" / "results" / machine() / "warm_start.json"
    document = {"schema": 2, "date": datetime.now(UTC).isoformat(), "python": sys.version.split()[0], "rows": rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
