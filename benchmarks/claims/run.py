"""Tries claims: fresh processes, variants in turns in random order, raw samples to a file.

python -m benchmarks.claims.run NAME ... [--processes 5] [--seconds 2]

Each process builds the inputs, checks that all variants give equal results, and then times them in rounds; in each
round every variant has one turn, in random order, on one core and one thread. The first variant also runs under the
name "again". Writes benchmarks/results/<machine>/claims/NAME.json.
"""

import argparse
import gc
import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.claims.evidence import AGAIN, RESULTS
from benchmarks.claims.trial import Comparison, load, names
from hotloop.machine.environment import cores, record_environment
from hotloop.records.documents import to_data
from hotloop.whole_file import write_whole

ROOT = Path(__file__).parents[2]
ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "POLARS_MAX_THREADS",
        "TORCHINDUCTOR_COMPILE_THREADS",
    ),
    "1",
)
BLOCK = 0.01  # seconds of one turn: far above the clocks' resolution, short enough for many rounds
MINIMUM_ROUNDS, MAXIMUM_ROUNDS = 5, 40


def measure(comparison: Comparison, *, seconds: float, order: random.Random) -> dict[str, Any]:
    """Raw samples of one size in this process: seconds of one call, by clock and variant, and the order of turns."""
    results = {name: run() for name, run in comparison.variants.items()}
    if comparison.check is not None:
        comparison.check(results)
    del results
    first = next(iter(comparison.variants.values()))
    arms = {**comparison.variants, AGAIN: first}
    calls = {name: _calls(run) for name, run in arms.items()}
    expected = sum(_turn(run, calls[name])["wall"] * calls[name] for name, run in arms.items())
    rounds = max(MINIMUM_ROUNDS, min(MAXIMUM_ROUNDS, int(seconds / expected)))
    samples: dict[str, Any] = {"calls": calls, "order": [], "cpu": {}, "wall": {}}
    for _ in range(rounds):
        turns = order.sample(list(arms), len(arms))
        samples["order"].append([list(arms).index(name) for name in turns])
        for name in turns:
            for clock, value in _turn(arms[name], calls[name]).items():
                samples[clock].setdefault(name, []).append(float(f"{value:.6g}"))
    return samples


def work(name: str, *, process: int, seconds: float) -> dict[str, Any]:
    """Everything that one process finds out about a claim."""
    import torch

    torch.set_num_threads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {cores()[-1]})
    claim, order = load(name), random.Random(process)
    torch.manual_seed(0)
    counts = {} if claim.counts is None else dict(claim.counts())
    sizes = {size: measure(build(), seconds=seconds, order=order) for size, build in claim.sizes.items()}
    return {"process": process, "counts": to_data(counts), "sizes": sizes}


def try_claim(name: str, *, processes: int, seconds: float) -> dict[str, Any]:
    """The document of a claim, after `processes` fresh processes. Raises RuntimeError where one of them failed."""
    call = ["python", "-m", "benchmarks.claims.run", name, f"--processes={processes}", f"--seconds={seconds:g}"]
    environment = record_environment(call, ROOT)
    found = [_fresh(name, process, seconds) for process in range(processes)]
    return {
        "schema": 1,
        "claim": name,
        "command": " ".join(call),
        "clock": "wall" if environment.has_cuda else "cpu",
        "threads": 1,
        "environment": to_data(environment),
        "processes": found,
    }


def folder() -> Path:
    """Where the results of this machine lie."""
    environment = record_environment((), ROOT)
    words = f"{environment.cpu} {len(environment.cores)} cores {' '.join(environment.gpus)}".lower()
    return RESULTS / re.sub(r"[^a-z0-9]+", "-", words).strip("-") / "claims"


def _fresh(name: str, process: int, seconds: float) -> dict[str, Any]:
    worker = [sys.executable, "-m", "benchmarks.claims.run", name, "--worker", str(process), "--seconds", str(seconds)]
    done = subprocess.run(
        worker, cwd=ROOT, env={**os.environ, **ONE_THREAD}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(
            f"process {process} of claim {name!r} failed; mend the claim, nothing was kept:\n{done.stderr}"
        )
    return json.loads(done.stdout.splitlines()[-1])


def _calls(run: Callable[[], Any]) -> int:
    """How many calls make a turn long enough for the clock."""
    calls = 1
    while (spent := _turn(run, calls)["wall"] * calls) < BLOCK:
        calls = max(calls + 1, int(calls * min(10.0, 1.2 * BLOCK / max(spent, 1e-9))))
    return calls


def _turn(run: Callable[[], Any], calls: int) -> Mapping[str, float]:
    """Seconds of one call in one turn, by clock; the collector waits until the turn is over."""
    gc.disable()
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(calls):
        run()
    _finish()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    gc.enable()
    return {"cpu": max(cpu, 1e-9) / calls, "wall": wall / calls}


def _finish() -> None:
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.synchronize()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="claims to try (default: all of them)")
    parser.add_argument("--processes", type=int, default=5, help="fresh processes, the units of replication")
    parser.add_argument("--seconds", type=float, default=2.0, help="time for the rounds of one size in one process")
    parser.add_argument("--out", type=Path, help="folder for the results (default: that of this machine)")
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is not None:
        print(json.dumps(work(options.names[0], process=options.worker, seconds=options.seconds)))
        return
    os.environ.update(ONE_THREAD)
    out = options.out or folder()
    out.mkdir(parents=True, exist_ok=True)
    for name in options.names or names():
        start = time.perf_counter()
        document = try_claim(name, processes=options.processes, seconds=options.seconds)
        write_whole(out / f"{name}.json", json.dumps(document) + "\n")
        print(f"{name}: {time.perf_counter() - start:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
