"""Peak memory and time of a step of three models under each policy of recomputation.

    python benchmarks/memory/checkpointing.py [--rounds 20] [--models NAME ...] [--out FILE]

Each policy's peak is that of resident memory over three steps in a fresh process, less what is resident between steps;
the times are those of steps that take turns in random order in one process with one thread. Less memory budget does not
always mean a lower peak: points at which a smaller budget has the higher one are named, and "best under" lists, for
peaks that were reached, the fastest policy that stays below by what was measured, never by its budget. Writes
benchmarks/results/<machine>/memory/checkpointing.json, or `--out`.
"""

import os
import statistics
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "panel"))
sys.path.insert(0, str(Path(__file__).parents[1] / "compare"))
sys.path.insert(0, str(Path(__file__).parents[1] / "compile"))
from simulate import machine
from towers import TOWERS, training
from turns import Call, finish, options, take_turns

from hotloop.transform import Plan
from hotloop.transforms.checkpointing import Checkpointing
from hotloop.transforms.compile import Compile

RESULTS = Path(__file__).parents[1] / "results"
BUDGETS = (1.0, 0.8, 0.6, 0.4, 0.2, 0.0)
POLICIES: dict[str, Plan] = {
    "as it is": Plan(),
    "all blocks": Plan((Checkpointing(),)),
    "every second block": Plan((Checkpointing(every=2),)),
    "all but products": Plan((Checkpointing(keep="products"),)),
    **{f"compiled, budget {budget}": Plan((Compile(memory_budget=budget),)) for budget in BUDGETS},
}
# Freed memory goes back to the system at once, so that resident memory is what is in use.
AT_ONCE = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
PEAK = """
import sys
sys.path.insert(0, {folder!r})
from checkpointing import POLICIES, resident, training
run = training({name!r}, POLICIES[{policy!r}])
for _ in range(3):
    run.step()
run.optimizer.zero_grad()
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")
between = resident("VmRSS")
for _ in range(3):
    run.step()
print("peak", resident("VmHWM") - between)
"""


def resident(key: str) -> int:
    """Bytes of one line of /proc/self/status."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("this needs the /proc of Linux")


def peak(name: str, policy: str) -> int:
    """Bytes that a step takes beside parameters, optimizer state and the batch."""
    code = PEAK.format(folder=str(Path(__file__).parent), name=name, policy=policy)
    variables = {**os.environ, **AT_ONCE, "TORCHINDUCTOR_COMPILE_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True)
    return int(done.stdout.rsplit("peak", 1)[1])


def rises(peaks: dict[str, int]) -> list[str]:
    """Budgets whose peak is more than 2 % above that of the next larger budget."""
    points = [(budget, peaks[f"compiled, budget {budget}"]) for budget in BUDGETS]
    return [
        f"{small}: {low / 2**20:.0f} MiB, {large}: {high / 2**20:.0f} MiB"
        for (large, high), (small, low) in pairwise(points)
        if low > 1.02 * high
    ]


def best_under(peaks: dict[str, int], seconds: dict[str, float]) -> dict[str, str]:
    """For each peak that was reached: the fastest policy that needs no more."""
    return {
        f"{limit / 2**20:.0f} MiB": min((p for p in peaks if peaks[p] <= limit), key=lambda policy: seconds[policy])
        for limit in sorted(set(peaks.values()))
    }


def table(name: str, rounds: int) -> dict[str, Any]:
    """Peaks, samples of step times, and what follows from both."""
    variants: dict[str, Call] = {}
    for policy, plan in POLICIES.items():
        variants[policy] = training(name, plan).step
        variants[policy]()  # compiled before the next: the budget is a setting of the process
    found = take_turns(variants, rounds=rounds, calls=dict.fromkeys(variants, 1))
    peaks = {policy: peak(name, policy) for policy in POLICIES}
    seconds = {policy: statistics.median(samples) for policy, samples in found["samples"].items()}
    counts = {f"peak, {policy}": f"{value / 2**20:.1f} MiB" for policy, value in peaks.items()}
    counts["smaller budget, higher peak"] = rises(peaks)
    counts["best under"] = best_under(peaks, seconds)
    return {**found, "peaks": peaks, "counts": counts}


def main() -> None:
    """Measure all models and write the samples."""
    parser = options(__doc__ or "", rounds=20)
    parser.add_argument("--models", nargs="+", choices=list(TOWERS), default=list(TOWERS))
    given = parser.parse_args()
    torch.set_num_threads(1)
    found = {name: table(name, given.rounds) for name in given.models}
    finish(found, given.out or RESULTS / machine() / "memory" / "checkpointing.json")


if __name__ == "__main__":
    main()
