"""A real 5 % slow-down, extra arithmetic in every step, under tcmalloc: how often is it proven within five minutes?

    python benchmarks/compare/slow_down.py --times 10

Writes benchmarks/results/<machine>/slow_down.json with every interval and every replicate's estimate.
"""

import argparse
import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLANTED = ROOT / "tests" / "planted"
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(PLANTED), os.environ.get("PYTHONPATH", "")]))
sys.path.insert(0, str(PLANTED))

from false_claims import effects, stored_runs, write  # noqa: E402
from simulate import machine  # noqa: E402

import hotloop  # noqa: E402
from hotloop.compare.comparison import Comparison  # noqa: E402
from hotloop.machine.environment import record_environment  # noqa: E402
from hotloop.proof.session import Options  # noqa: E402
from hotloop.workload import parse_workload  # noqa: E402


def run_once(percent: float, budget: float) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        result = hotloop.prove(
            parse_workload("examples/digits_cnn.py", folder=ROOT),
            hotloop.Plan.from_data([{"name": "slow_down", "percent": percent}]),
            options=Options(budget=budget, out=Path(folder), history=f"sqlite:///{folder}/history.db"),
        )
        plan, again = effects(Path(result.evidence), "plan"), effects(Path(result.evidence), "again")
    return {
        "proven_slower": Comparison(plan, again).is_slower,
        "interval": [result.speedup.low, result.speedup.ratio, result.speedup.high],
        "pairs": [effect.log_ratio for effect in plan],
        "again": [effect.log_ratio for effect in again],
        "clock": result.clock.value,
        "seconds": result.tuning_seconds,
        "notes": list(result.notes),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--percent", type=float, default=5.0)
    parser.add_argument("--budget", type=float, default=120.0)
    parser.add_argument("--resume", action="store_true")
    given = parser.parse_args()
    environment = record_environment(tuple(sys.argv), ROOT)
    tcmalloc = environment.allocators.get("tcmalloc")
    if tcmalloc is None:
        raise SystemExit("tcmalloc is not installed; install libtcmalloc-minimal4")
    os.environ["LD_PRELOAD"] = tcmalloc  # of the workers: the plain script runs under it as well
    path = ROOT / "benchmarks" / "results" / machine() / "slow_down.json"
    runs = stored_runs(path) if given.resume else []
    for number in range(len(runs), given.times):
        runs.append(run_once(given.percent, given.budget))
        proven = sum(run["proven_slower"] for run in runs)
        print(
            f"{number + 1:3d}: {runs[-1]['interval']} {runs[-1]['seconds']:.0f} s, proven so far: {proven}", flush=True
        )
        document = {
            "date": datetime.now(UTC).isoformat(),
            "percent": given.percent,
            "proven": proven,
            "times": len(runs),
        }
        document |= {"cpu": environment.cpu, "torch": environment.torch, "allocator": "tcmalloc", "runs": runs}
        write(path, document)


if __name__ == "__main__":
    main()
