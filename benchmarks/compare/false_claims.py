"""Real A/A: `prove` of the empty plan, many times, idle and beside a busy process; no claim is ever right.

    python benchmarks/compare/false_claims.py --times 40
    python benchmarks/compare/false_claims.py --times 40 --resume     # goes on after the runs that are stored

Half of the runs have a background process that computes on one core in bursts; `foreign_cores` is what others kept busy
just before a run. glibc's allocator, the noisiest. Two of the programs have loaders with workers.
Writes benchmarks/results/<machine>/false_claims.json with every interval.
"""

import argparse
import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from background_load import background_load
from simulate import machine

import hotloop
from hotloop.machine.environment import foreign_cores, record_environment
from hotloop.proof.session import Options
from hotloop.trial import Result
from hotloop.whole_file import write_whole
from hotloop.workload import parse_workload

ROOT = Path(__file__).parents[2]
PROGRAMS = (
    "examples/tabular_mlp.py",
    "examples/digits_cnn.py",
    "benchmarks/proof/waiting_loader.py --workers 2",
    "benchmarks/proof/decoding_loader.py --workers 1",
)


def run_once(number: int, budget: float) -> dict:
    program, loaded = PROGRAMS[number % 4], number % 8 >= 4
    busy = foreign_cores()
    with tempfile.TemporaryDirectory() as folder, background_load(is_on=loaded):
        out = Path(folder)
        result: Result = hotloop.prove(
            parse_workload(program.split()[0], tuple(program.split()[1:]), folder=ROOT),
            hotloop.Plan(),
            options=Options(budget=budget, out=out, history=f"sqlite:///{folder}/history.db"),
        )
    speed = next(verdict for verdict in result.verdicts if verdict.gate == "speed")
    return {
        "program": program,
        "loaded": loaded,
        "foreign_cores": busy,
        "claimed_faster": result.verdict.value == "PASS",
        "claimed_slower": bool(speed.numbers["proven_slower"]),
        "verdict": result.verdict.value,
        "clock": result.clock.value,
        "method": result.method,
        "stopped_by": result.stopped_by,
        "interval": [result.speedup.low, result.speedup.ratio, result.speedup.high],
        "again": [result.aa.low, result.aa.ratio, result.aa.high],
        "replicates": result.trials[-1].replicates,
        "notes": list(result.notes),
        "seconds": result.tuning_seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=40)
    parser.add_argument("--budget", type=float, default=25.0)
    parser.add_argument("--resume", action="store_true")
    given = parser.parse_args()
    environment = record_environment(tuple(sys.argv), ROOT)
    path = ROOT / "benchmarks" / "results" / machine() / "false_claims.json"
    runs = stored_runs(path) if given.resume else []
    for number in range(len(runs), given.times):
        runs.append(run_once(number, given.budget))
        claims = sum(run["claimed_faster"] or run["claimed_slower"] for run in runs)
        print(f"{number + 1:3d}: {runs[-1]['verdict']:12} {runs[-1]['interval']} claims so far: {claims}", flush=True)
        document = {"date": datetime.now(UTC).isoformat(), "claims": claims, "times": len(runs), "runs": runs}
        write(path, {**document, "cpu": environment.cpu, "torch": environment.torch, "cores": len(environment.cores)})


def stored_runs(path: Path) -> list[dict]:
    return json.loads(path.read_text(encoding="utf-8"))["runs"] if path.exists() else []


def write(path: Path, document: dict) -> None:
    write_whole(path, json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
