"""What `prove` says of loading in worker processes, beside a stopwatch outside of hotloop.

    python benchmarks/proof/loaders.py

Each program is run on its own, with and without workers in turn, for as long as some epochs take; the ratio of its own
step times is what a user sees. `prove` of `data_loading` follows on the same machine, and the stopwatch once more.
Writes benchmarks/results/<machine>/loaders.json with every single figure.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "compare"))
from simulate import machine

import hotloop
from hotloop.proof.session import Options
from hotloop.whole_file import write_whole
from hotloop.workload import parse_workload

HERE = Path(__file__).parent
# workers, and steps that last for some seconds with and without them
PROGRAMS = {"waiting_loader.py": (4, {0: 160, 4: 640}), "decoding_loader.py": (2, {0: 800, 2: 1200})}


def milliseconds(program: str, workers: int, steps: int) -> float:
    """Of a step, as the program itself says when nobody interferes."""
    command = [sys.executable, program, "--workers", str(workers), "--steps", str(steps)]
    said = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=True).stdout
    return float(said.split()[0])


def outside(program: str, times: int) -> list[dict[str, float]]:
    """Step times with and without workers, in turn."""
    workers, steps = PROGRAMS[program]
    return [
        {"plain": milliseconds(program, 0, steps[0]), "workers": milliseconds(program, workers, steps[workers])}
        for _ in range(times)
    ]


def measured(program: str, *, times: int, budget: float) -> dict[str, object]:
    """Both figures of one program, and how far they lie apart."""
    workers, _ = PROGRAMS[program]
    before = outside(program, times)
    with tempfile.TemporaryDirectory() as folder:
        result = hotloop.prove(
            parse_workload(program, folder=HERE),
            hotloop.Plan.from_data([{"name": "data_loading", "workers": workers}]),
            options=Options(budget=budget, history=f"sqlite:///{folder}/history.db"),
        )
    stopwatch = [*before, *outside(program, times)]
    ratio = statistics.median(one["plain"] / one["workers"] for one in stopwatch)  # nothing guards it from a neighbour
    assert result.speedup is not None
    return {
        "program": program,
        "workers": workers,
        "verdict": result.verdict.value,
        "message": result.message,
        "method": result.method,
        "proved": [result.speedup.low, result.speedup.ratio, result.speedup.high],
        "replicates": result.trials[-1].replicates,
        "stopwatch": ratio,
        "stopwatch_runs": stopwatch,
        "proved_over_stopwatch": result.speedup.ratio / ratio,
        "seconds": result.tuning_seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=2, help="before the proof, and again after it")
    parser.add_argument("--budget", type=float, default=300.0)
    given = parser.parse_args()
    rows: list[dict[str, object]] = []
    for program in PROGRAMS:
        rows.append(measured(program, times=given.times, budget=given.budget))
        print({key: value for key, value in rows[-1].items() if key != "stopwatch_runs"}, flush=True)
    path = HERE.parent / "results" / machine() / "loaders.json"
    document = {"schema": 1, "date": datetime.now(UTC).isoformat(), "python": sys.version.split()[0], "rows": rows}
    write_whole(path, json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
