"""Is the top finding right? Diagnose three training loops of other people, cure what it names, measure the gain.

    python benchmarks/diagnose/other_programs.py --only skorch_digits --budget 60
    python benchmarks/diagnose/other_programs.py --table

Each program is diagnosed untouched; then it is raced against itself with the transform that its top finding names, or
with the edit that it asks for (--cured), in lockstep. That says whether the finding is right about the time; whether
the cure trains the same model is the question of `hotloop prove`. Documents go to
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

from hotloop.compare import inference as statistics
from hotloop.compare.comparison import Race
from hotloop.compare.replicate import AGAIN, BASELINE, Pace
from hotloop.diagnose.diagnosis import Diagnosis, finding_data
from hotloop.diagnose.trace import Look, trace
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
CURED, HEATS, ROUNDS, BLOCK_SECONDS = "cured", 4, 12, 0.08
PROGRAMS = ("skorch_digits", "pyg_gcn", "hf_trainer_gpt2")


def program(name: str, *arguments: str) -> Workload:
    return parse_workload(f"benchmarks/diagnose/programs/{name}.py", arguments, folder=ROOT)


def race(workload: Workload, transform: str, seconds: float) -> dict[str, object]:
    """The program as it stands against itself (A/A) and against the cure, in lockstep; speed alone, no other gate."""
    environment = record_environment((), ROOT)
    arms = {BASELINE: Plan(), AGAIN: Plan(), CURED: Plan.from_data([{"name": transform}])}
    with tempfile.TemporaryDirectory(prefix="hotloop-session-") as folder:
        settings = Settings(folder=Path(folder), cores=environment.cores)
        held = Race(workload, arms, settings, clock=Clock.WALL, order=random.Random(0))
        for _ in range(HEATS):
            held.heat(Pace(most_seconds=seconds / HEATS))
    effects, aa = held.effects(CURED), held.effects(AGAIN)
    return {
        "cure": f"transform {transform}",
        "failure": held.failures[CURED].message if CURED in held.failures else None,
        "speedup": dataclasses.asdict(held.interval(CURED, aa)) if effects else None,
        "aa": dataclasses.asdict(held.interval(AGAIN, aa)),
        "verdict": statistics.judge_speed(effects, aa).outcome.value if effects else "FAIL",
        "blocks": [[dataclasses.asdict(block) for block in heat.blocks] for heat in held.heats],
    }


def race_edit(name: str, seconds: float) -> dict[str, object]:
    """The program against itself with --cured: workers of both take turns in random order; fresh ones each heat."""
    order, effects, heats = random.Random(0), [], []
    with tempfile.TemporaryDirectory(prefix="hotloop-session-") as folder:
        for _ in range(HEATS):
            blocks = _heat(
                name, Settings(folder=Path(folder), cores=record_environment((), ROOT).cores), order, seconds
            )
            heats.append(blocks)
            effects.append(statistics.pair_effect(blocks["plain"], blocks["cured"]))
    return {
        "cure": "edit (--cured)",
        "speedup": dataclasses.asdict(statistics.combine(effects)),
        "wall_seconds": heats,
    }


def _heat(name: str, settings: Settings, order: random.Random, seconds: float) -> dict[str, list[list[float]]]:
    with ExitStack() as stack:
        workers = {
            arm: stack.enter_context(Worker(program(name, *arguments), Plan(), settings))
            for arm, arguments in (("plain", ()), ("cured", ("--cured",)))
        }
        for worker in workers.values():
            worker.open_gate()
        for worker in workers.values():
            worker.turn(5)
        step = min(workers["plain"].state["wall"][1:])
        steps = 1 + max(2, round(BLOCK_SECONDS / step))
        rounds = max(4, min(ROUNDS, round(seconds / HEATS / (2 * steps * step))))
        blocks: dict[str, list[list[float]]] = {arm: [] for arm in workers}
        for _ in range(rounds):
            for arm in order.sample(list(workers), k=2):
                blocks[arm].append(workers[arm].turn(steps)["wall"])
        return blocks


def measure(name: str, *, budget: float) -> None:
    diagnosis = trace(program(name), Look(steps=30, budget=30.0))
    top = diagnosis.findings[0]
    print(f"{name}: {top.code} {top.message}; at most {top.bound}", flush=True)
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
        return race(program(name), transform, seconds)
    cured = race_edit(name, seconds)
    workers = race(program(name), "data_loading", seconds) if diagnosis.findings[0].code == "DA06" else None
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
    parser.add_argument("--budget", type=float, default=60.0, help="seconds of turns in all heats")
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
