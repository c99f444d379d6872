"""`tune` of programs that take a third and two thirds of the memory that is free, with all processes watched.

    python benchmarks/proof/memory.py

The peak of all that `tune` started, taken together every 0.05 s (shared pages counted once), must stay below what was
free before. Writes benchmarks/results/<machine>/memory.json.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "compare"))
from simulate import machine

from hotloop.machine.memory import free_host_memory
from hotloop.whole_file import write_whole

SHARES = {"a third": 1 / 3, "two thirds": 2 / 3}
PROGRAM = """
import torch
held = torch.ones({count})  # the data set
model = torch.nn.Sequential(torch.nn.Linear(256, 512), torch.nn.ReLU(), torch.nn.Linear(512, 8))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for step in range(100_000):
    first = 256 * 64 * (step % 1000)
    inputs = held[first : first + 256 * 64].view(64, 256) * torch.randn(64, 256)
    optimizer.zero_grad()
    model(inputs).square().mean().backward()
    optimizer.step()
"""


def taken(process: psutil.Process) -> tuple[int, int]:
    """Bytes of all descendants together, and how many of them are workers."""
    total, workers = 0, 0
    for child in process.children(recursive=True):
        try:
            total += child.memory_full_info().pss
            command = child.cmdline()
        except psutil.Error:
            continue
        workers += "hotloop.worker.main" in command and "-I" not in command
    return total, workers


def tuned(share: float, budget: float) -> dict[str, object]:
    """How `tune` ended, and the peaks on the way."""
    free = free_host_memory()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "train.py").write_text(PROGRAM.format(count=int(share * free / 4)))
        command = [sys.executable, "-m", "hotloop", "tune", "train.py", "--budget", f"{budget:.0f}s", "--out", "out"]
        tune = subprocess.Popen([*command, "--json"], cwd=folder, stdout=subprocess.PIPE, text=True)
        watched, peak, alive = psutil.Process(tune.pid), 0, 0
        while tune.poll() is None:
            bytes_now, workers_now = taken(watched)
            peak, alive = max(peak, bytes_now), max(alive, workers_now)
            time.sleep(0.05)
        assert tune.stdout is not None
        result = json.loads(tune.stdout.read())
    return {
        "share": share,
        "free_before": free,
        "peak_of_all": peak,
        "peak_over_free": peak / free,
        "workers_at_once": alive,
        "exit": tune.returncode,
        "verdict": result["verdict"],
        "message": result["message"],
        "method": result["method"],
        "trials_measured": sum(trial["speedup"] is not None for trial in result["trials"]),
        "notes": [note for note in result["notes"] if "MiB" in note],
        "seconds": result["tuning_seconds"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget", type=float, default=180.0, help="seconds for each")
    given = parser.parse_args()
    rows: dict[str, dict[str, object]] = {}
    for name, share in SHARES.items():
        rows[name] = tuned(share, given.budget)
        print(name, rows[name], flush=True)
    path = Path(__file__).parents[1] / "results" / machine() / "memory.json"
    write_whole(path, json.dumps({"schema": 1, "date": datetime.now(UTC).isoformat(), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
