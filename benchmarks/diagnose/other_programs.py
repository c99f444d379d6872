"""Is the top finding right? Diagnose three training loops of other people, cure what it names, measure the gain.

    python benchmarks/diagnose/other_programs.py --only skorch_digits --budget 60
    python benchmarks/diagnose/other_programs.py --table

Each program is diagnosed untouched; then it is compared with itself under the transform that its top finding
names, or with the edit that it asks for (--cured), in lockstep. That says whether the finding is right about the
time; whether the cure trains the same model is the question of `hotloop prove`. Documents go to
benchmarks/results/<machine>/diagnose/.
"""

import argparse
import dataclasses
import json
import random
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from hotloop.compare.comparison import Comparison
from hotloop.compare.inference import combine, replicate_estimate
from hotloop.compare.replicate import Pace, Setup
from hotloop.compare.series import AGAIN, BASELINE, ReplicateSeries
from hotloop.diagnose.diagnosis import Diagnosis, finding_data
from hotloop.diagnose.trace import TraceOptions, trace
from hotloop.machine.environment import record_environment
from hotloop.measurement import Clock
from hotloop.transform import Plan
from hotloop.whole_file import write_whole
from hotloop.worker.process import Settings, Worker
from hotloop.workload import Workload, parse_workload

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks" / "compare"))
from simulate import machine  # noqa: E402

FOLDER = ROOT / "benchmarks" / "results" / machine() / "diagnose"
CURED, REPLICATES, ROUNDS, BLOCK_SECONDS = "cured", 4, 12, 0.08
PROGRAMS = ("skorch_digits", "pyg_gcn", "hf_trainer_gpt2")


def program(name: str, *arguments: str) -> Workload:
    return parse_workload(f"benchmarks/diagnose/programs/{name}.py", arguments, folder=ROOT)


def measure_cure(workload: Workload, transform: str, seconds: float) -> dict[str, object]:
    """The program as it stands against itself (A/A) and against the cure, in lockstep; speed alone, no other gate."""
    environment = record_environment((), ROOT)
    arms = {BASELINE: Plan(), AGAIN: Plan(), CURED: Plan.from_data([{"name": transform}])}
    with tempfile.TemporaryDirectory(prefix="hotloop-session-") as folder:
        settings = Settings(folder=Path(folder), cores=environment.cores)
        setup = Setup(workload=workload, settings=settings, baseline=BASELINE, order=random.Random(0))
        series = ReplicateSeries(setup, arms, clock=Clock.WALL)
        for _ in range(REPLICATES):
            series.measure(Pace(most_seconds=seconds / REPLICATES))
    estimates, aa = series.estimates(CURED), series.estimates(AGAIN)
    return {
        "cure": f"transform {transform}",
        "failure": series.failures[CURED].message if CURED in series.failures else None,
        "speedup": dataclasses.asdict(series.interval(CURED, aa)) if estimates else None,
        "aa": dataclasses.asdict(series.interval(AGAIN, aa)),
        "verdict": Comparison(estimates, aa).verdict().outcome.value if estimates else "FAIL",
        "blocks": [[dataclasses.asdict(block) for block in replicate.blocks] for replicate in series.replicates],
    }


def measure_edit(name: str, seconds: float) -> dict[str, object]:
    """The program against itself with --cured: workers of both take turns in random order."""
    order, estimates, replicates = random.Random(0), [], []
    with tempfile.TemporaryDirectory(prefix="hotloop-session-") as folder:
        for _ in range(REPLICATES):
            blocks = _replicate(
                name, Settings(folder=Path(folder), cores=record_environment((), ROOT).cores), order, seconds
            )
            replicates.append(blocks)
            estimates.append(replicate_estimate(blocks["plain"], blocks["cured"]))
    return {
        "cure": "edit (--cured)",
        "speedup": dataclasses.asdict(combine(estimates)),
        "wall_seconds": replicates,
    }


def _replicate(name: str, settings: Settings, order: random.Random, seconds: float) -> dict[str, list[list[float]]]:
    with ExitStack() as stack:
        workers = {
            arm: stack.enter_context(Worker(program(name, *arguments), Plan(), settings))
            for arm, arguments in (("plain", ()), ("cured", ("--cured",)))
        }
        for worker in workers.values():
            worker.wait_at_barrier()
        for worker in workers.values():
            worker.turn(5)
        step = min(workers["plain"].report.wall[1:])
        steps = 1 + max(2, round(BLOCK_SECONDS / step))
        rounds = max(4, min(ROUNDS, round(seconds / REPLICATES / (2 * steps * step))))
        blocks: dict[str, list[list[float]]] = {arm: [] for arm in workers}
        for _ in range(rounds):
            for arm in order.sample(list(workers), k=2):
                blocks[arm].append(workers[arm].turn(steps)["wall"])
        return blocks


def measure(name: str, *, budget: float) -> None:
    diagnosis = trace(program(name), TraceOptions(steps=30, budget=30.0))
    top = diagnosis.findings[0]
    print(f"{name}: {top.code} {top.message}; at most {top.amdahl_limit}", flush=True)
    cured = _cured(name, diagnosis, budget)
    document = {
        "program": name,
        "command": f"python benchmarks/diagnose/other_programs.py --only {name}",
        "torch": diagnosis.environment.torch,
        "cpu": diagnosis.environment.cpu,
        "variables": dict(diagnosis.environment.variables),
        "notes": list(diagnosis.notes),
        "step_seconds": diagnosis.step_seconds,
        "phases": diagnosis.phases,
        "findings": [_finding(finding_data(found)) for found in diagnosis.findings],
        "cured": cured,
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    target = FOLDER / f"{name}.json"
    write_whole(target, json.dumps(document, indent=1) + "\n")
    print(row(document), flush=True)


def _cured(name: str, diagnosis: Diagnosis, seconds: float) -> dict[str, object]:
    transform = diagnosis.findings[0].transform
    if transform is not None:
        return measure_cure(program(name), transform, seconds)
    cured = measure_edit(name, seconds)
    workers = measure_cure(program(name), "data_loading", seconds) if diagnosis.findings[0].code == "DA06" else None
    return {**cured, "with_workers": workers and workers["speedup"]}


def _finding(data: dict[str, object]) -> dict[str, object]:
    """Without the folders of this machine: what is installed is named from its package on."""
    path = str(data["path"])
    short = path.partition("site-packages/")[2] or str(
        Path(path).relative_to(ROOT) if ROOT in Path(path).parents else path
    )
    return {**data, "path": short}


def row(document: dict[str, object]) -> str:
    top, cured = document["findings"][0], document["cured"]
    speed = cured["speedup"]
    figure = f"{speed['median']:.2f}x [{speed['low']:.2f}, {speed['high']:.2f}]" if speed else "not measured"
    return (
        f"| `{document['program']}` | {top['code']} {top['path']}:{top['line']} | {top['share']:.0%} | "
        f"{top['bound']:.2f}x | {cured['cure']} | {figure} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=PROGRAMS)
    parser.add_argument("--budget", type=float, default=60.0, help="seconds of turns in all replicates")
    parser.add_argument("--table", action="store_true", help="print what is stored")
    args = parser.parse_args()
    if args.table:
        print("| program | top finding | share | bound | cure | measured |\n|---|---|---|---|---|---|")
        for name in PROGRAMS:
            if (stored := FOLDER / f"{name}.json").exists():
                print(row(json.loads(stored.read_text(encoding="utf-8"))))
        return
    for name in [args.only] if args.only else PROGRAMS:
        measure(name, budget=args.budget)


if __name__ == "__main__":
    main()
