"""CPU seconds up to the end of the first step under `compile`, cold and with a bundle, each in fresh processes.

    python benchmarks/deploy/warm_start.py

Each of the three examples runs cold (empty cache folders, torch's own among them), is warmed by `hotloop cache warm`,
and runs again, `--times` times in turn. CPU time of the process and of the compilers that it started, from the loaded
torch on.
Writes benchmarks/results/<machine>/warm_start.json.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "compare"))
from simulate import machine

from hotloop.whole_file import write_whole

ROOT = Path(__file__).parents[2]
PROGRAMS = ("char_gpt.py", "resnet_cifar_like.py", "tabular_mlp.py")
PLAN = '[[transform]]\nname = "compile"\n'
# Runs a program under hotloop's plan, and ends the process when its first step has ended.
FIRST_STEP = """
import os, resource, sys, time
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

def seconds():
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)

began = seconds()
def stepped(*_):
    from torch._inductor.async_compile import shutdown_compile_workers
    shutdown_compile_workers()
    print("first step", seconds() - began, flush=True)
    os._exit(0)
register_optimizer_step_post_hook(stepped)
import runpy
sys.argv = sys.argv[1:]
from hotloop.deploy import launch
sys.argv = ["launch", sys.argv[0]]
launch.main()
"""


def first_step(program: str, plan: Path, variables: dict[str, str]) -> float:
    """CPU seconds from the loaded torch to the end of the first step."""
    from hotloop.deploy.compiled_code import find_compiled
    from hotloop.transform import Plan
    from hotloop.worker.spec import workload_data
    from hotloop.workload import parse_workload

    workload, loaded = parse_workload(f"examples/{program}", folder=ROOT), Plan.load(plan)
    environment = {**os.environ, **variables}
    find_compiled(workload, loaded, environment)
    spec = {"workload": workload_data(workload), "plan": loaded.to_data(), "proof": "/nonexistent", "is_strict": False}
    done = subprocess.run(
        [sys.executable, "-P", "-c", FIRST_STEP, json.dumps(spec)],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.rsplit("first step", 1)[1].split()[0])


def measured(program: str, *, times: int) -> dict[str, object]:
    """Cold and warm in turn; every cold run and every bundle has folders of its own."""
    cold: list[float] = []
    warm: list[float] = []
    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder:
            plan = Path(folder, "plan.toml")
            plan.write_text(PLAN)
            variables = {"TMPDIR": folder, "HOTLOOP_CACHE": f"{folder}/hotloop", "TORCHINDUCTOR_COMPILE_THREADS": "1"}
            os.environ["HOTLOOP_CACHE"] = variables["HOTLOOP_CACHE"]
            cold.append(first_step(program, plan, variables))
            call = [sys.executable, "-m", "hotloop", "cache", "warm", f"examples/{program}", "--plan", str(plan)]
            subprocess.run(call, cwd=ROOT, env={**os.environ, **variables}, check=True, capture_output=True)
            warm.append(first_step(program, plan, {**variables, "TMPDIR": tempfile.mkdtemp(dir=folder)}))
    ratio = sum(cold) / sum(warm)
    return {"program": program, "cold_cpu_seconds": cold, "warm_cpu_seconds": warm, "cold_over_warm": ratio}


def main() -> None:
    """Measure all programs and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=3)
    given = parser.parse_args()
    rows: list[dict[str, object]] = []
    for program in PROGRAMS:
        rows.append(measured(program, times=given.times))
        print(rows[-1], flush=True)
    path = ROOT / "benchmarks" / "results" / machine() / "warm_start.json"
    document = {"schema": 1, "date": datetime.now(UTC).isoformat(), "python": sys.version.split()[0], "rows": rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
