"""What watching gradients costs: steps of the one loop with GradientHealth against steps without, and events a second.

Arms: the digits CNN of `workloads/growth` (batch 64) and a wide MLP (3 x 512, batch 128), each with and without. Both
of a model take turns of equal length in random order in one process; the ratio of each round is one sample. The clock
is CPU time of the thread. Fresh processes repeat it; intervals are t over processes. Aim: at most 2 % of a step.
An event is written to a file of JSON lines and timed alone.

Writes benchmarks/results/<machine>/gradient_health.json with all samples; about 20 s a process on one core.

python benchmarks/train/gradient_health.py [--processes 5] [--rounds 20] [--steps 64] [--out FILE]
"""

import argparse
import json
import math
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from statistics import fmean, median, stdev
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from scipy import stats
from torch import nn

from hotloop.train import GradientHealth
from hotloop.train.events.event import RunEnded
from hotloop.train.events.sinks import JsonLinesSink
from hotloop.train.events.stream import EventStream
from hotloop.train.loop import train
from hotloop.train.strategies.classification import Classification
from hotloop.whole_file import write_whole
from hotloop.workload import Job
from hotloop.workloads.growth.cnn_host import CnnHost

sys.path.insert(0, str(Path(__file__).parents[1] / "compare"))
from simulate import machine

RESULTS = Path(__file__).parents[1] / "results"


def cnn() -> tuple[nn.Module, tuple[torch.Tensor, torch.Tensor]]:
    """The host of the task of digits."""
    return CnnHost(channels=1, classes=10, widths=(4, 8, 8)), (torch.randn(64, 1, 8, 8), torch.randint(0, 10, (64,)))


def mlp() -> tuple[nn.Module, tuple[torch.Tensor, torch.Tensor]]:
    """Three layers of 512."""
    layers = [nn.Linear(64, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)]
    return nn.Sequential(*layers), (torch.randn(128, 64), torch.randint(0, 10, (128,)))


MODELS = {"cnn": cnn, "mlp": mlp}


def job(name: str, *, watched: bool, steps: int) -> Job:
    """The same model and batch for each arm."""
    torch.manual_seed(0)
    model, batch = MODELS[name]()
    return Job(
        model=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9),
        batches=[batch] * steps,
        strategy=Classification(),
        gradients=GradientHealth(model) if watched else None,
    )


def measure(*, rounds: int, steps: int, seed: int) -> dict[str, Any]:
    """Seconds of each turn by model and arm, and of events."""
    torch.set_num_threads(1)
    order = random.Random(seed)
    found: dict[str, Any] = {}
    for name in MODELS:
        arms = {"plain": job(name, watched=False, steps=steps), "watched": job(name, watched=True, steps=steps)}
        samples: dict[str, list[float]] = {arm: [] for arm in arms}
        for number in range(rounds + 1):  # the first round warms up
            for arm in order.sample(list(arms), len(arms)):
                began = time.thread_time()
                train(arms[arm], epochs=1)
                if number:
                    samples[arm].append(time.thread_time() - began)
        found[name] = samples
    with TemporaryDirectory() as folder:
        stream = EventStream(JsonLinesSink(Path(folder) / "events.jsonl"))
        began = time.perf_counter()
        for number in range(2000):
            stream.emit(RunEnded(epoch=number, validation_accuracy=0.5, num_parameters=10))
        found["event"] = (time.perf_counter() - began) / 2000
    return found


def summary(processes: list[dict[str, Any]]) -> list[str]:
    """Ratios with intervals over processes."""
    lines: list[str] = []
    for name in MODELS:
        logs = [
            median(math.log(b / a) for a, b in zip(p[name]["plain"], p[name]["watched"], strict=True))
            for p in processes
        ]
        line = f"{name}: watched / plain {math.exp(fmean(logs)):.4f}"
        if len(logs) > 1:
            margin = stats.t.ppf(0.975, len(logs) - 1) * stdev(logs) / math.sqrt(len(logs))
            line += f" [{math.exp(fmean(logs) - margin):.4f}, {math.exp(fmean(logs) + margin):.4f}]"
        lines.append(line)
    lines.append(f"an event: {median(p['event'] for p in processes) * 1e6:.0f} us")
    return lines


def main() -> None:
    """Measure in fresh processes, write, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--steps", type=int, default=64)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.worker is not None:
        write_whole(asked.out, json.dumps(measure(rounds=asked.rounds, steps=asked.steps, seed=asked.worker)))
        return
    processes: list[dict[str, Any]] = []
    with TemporaryDirectory() as folder:
        for number in range(asked.processes):
            out = Path(folder) / "samples.json"
            call = [sys.executable, __file__, "--worker", str(number), "--out", str(out)]
            subprocess.run([*call, "--rounds", str(asked.rounds), "--steps", str(asked.steps)], check=True)
            processes.append(json.loads(out.read_text(encoding="utf-8")))
    out = asked.out
    if out is None:
        out = RESULTS / machine() / "gradient_health.json"
        out.parent.mkdir(parents=True, exist_ok=True)
    lines = summary(processes)
    write_whole(
        out, json.dumps({"torch": torch.__version__, "processes": processes, "summary": lines}, indent=1) + "\n"
    )
    print("\n".join(lines))


if __name__ == "__main__":
    main()
