"""What the spot checks of `hotloop run` cost: the share of the time that checks took, and what asking adds to a step.

    python benchmarks/deploy/spot_checks.py        # about a quarter of an hour

Each program runs under a plan in several fresh processes, one thread. The share is counted over `SECONDS` of training,
first checks included. Asking whether one is due is timed where it stands, between the operators of a step, so that its
code and data are as cold as they are in training; the cost of reading the clock is taken off. Limit: 0.5 %
of a step, both together, by the upper end of the interval over processes. What asking adds to a whole step where no
check is made is measured beside it, in blocks with and without it, interleaved, one effect a process, and held
against the limit of the other hooks, 30 us or 1 % of the step where that is more: only short steps resolve it.
Writes benchmarks/results/<machine>/spot_checks.json.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from scipy import stats
from torch import nn

from hotloop.compile.root_call import instead_of_call, put_instead_of_call
from hotloop.deploy.spot_check import SpotChecks
from hotloop.transform import Plan
from hotloop.transforms.autocast import Autocast
from hotloop.transforms.channels_last import ChannelsLast
from hotloop.whole_file import write_whole

sys.path.insert(0, str(Path(__file__).parents[1] / "compare"))
from simulate import machine

SECONDS = 20.0
LIMIT, ASKING_LIMIT_US = 0.005, 30.0
TRIMMED = 0.25


def programs():
    """Name, model, batch and its targets, transform, and steps in a block."""
    labels = torch.randint(0, 8, (64,))
    mlp = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 8))
    convolutions = [nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU()]
    conv = nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(8192, 8))
    layer = nn.TransformerEncoderLayer(128, 4, 256, dropout=0.0, batch_first=True)
    encoder = nn.Sequential(nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Flatten(), nn.LazyLinear(8))
    encoder(torch.randn(2, 32, 128))
    yield "MLP 64-256-256-8", mlp, torch.randn(64, 64), labels, Autocast(), 60
    yield "two convolutions", conv, torch.randn(32, 3, 16, 16), labels[:32], ChannelsLast(), 20
    yield "transformer, two layers", encoder, torch.randn(32, 32, 128), labels[:32], Autocast(), 10


def measured(number: int, rounds: int, seconds: float) -> dict:
    """One process: the share of the checks, and seconds a step of each block, asked or not, in random order."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    name, model, inputs, targets, transform, steps = list(programs())[number]
    transform.apply(model)
    optimizer = torch.optim.AdamW(model.parameters())

    def step():
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), targets).backward()
        optimizer.step()

    def timed():
        step()
        began = time.thread_time()
        for _ in range(steps):
            step()
        return (time.thread_time() - began) / steps

    without = instead_of_call(model)
    checks = SpotChecks(Plan((transform,)), print)
    checks.follow(model)
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        step()
    made, share = checks.made, checks.share
    asking = SpotChecks(Plan((transform,)), print)
    put_instead_of_call(model, without)
    asking.follow(model)
    step()  # its first check
    asking.may_spend = lambda share: False
    asked, order = instead_of_call(model), random.Random(os.getpid())
    samples = {"plain": [], "asked": []}
    for _ in range(rounds):
        for arm in order.sample(["plain", "asked"], 2):
            put_instead_of_call(model, asked if arm == "asked" else without)
            samples[arm].append(round(timed(), 9))
    put_instead_of_call(model, asked)
    return {
        "program": name,
        "checks": made,
        "share": share,
        "timed_us": timed_in_place(model, step),
        "samples": samples,
    }


def timed_in_place(model, step, *, calls=400):
    """Microseconds that one question takes inside of a step: the mean, as a share of the time is what is wanted."""
    planned = instead_of_call(model)
    question, spent, empty = planned.sometimes.is_due, [], []

    def timed(*args):
        began = time.perf_counter_ns()
        answer = question(*args)
        middle = time.perf_counter_ns()
        empty.append(time.perf_counter_ns() - middle)
        spent.append(middle - began)
        return answer

    planned.sometimes.is_due = timed
    try:
        for _ in range(calls):
            step()
    finally:
        del planned.sometimes.is_due
    return 1e-3 * (float(stats.trim_mean(spent, 0.01)) - float(stats.trim_mean(empty, 0.01)))


def judged(processes: list[dict]) -> dict:
    """The figures of one program over its processes."""
    plain = statistics.median(statistics.median(one["samples"]["plain"]) for one in processes)
    effects = [
        1e6 * float(stats.trim_mean(np.subtract(one["samples"]["asked"], one["samples"]["plain"]), TRIMMED))
        for one in processes
    ]
    bounds = stats.ttest_1samp(effects, 0.0).confidence_interval(0.95)
    in_place = [one["timed_us"] for one in processes]
    highest = float(stats.ttest_1samp(in_place, 0.0).confidence_interval(0.95).high)
    share = max(one["share"] for one in processes)
    return {
        "program": processes[0]["program"],
        "step_us": 1e6 * plain,
        "checks": [one["checks"] for one in processes],
        "largest_share": share,
        "asking_in_place_us": statistics.mean(in_place),
        "asking_in_place_high_us": highest,
        "asking_us": statistics.mean(effects),
        "asking_low_us": float(bounds.low),
        "asking_high_us": float(bounds.high),
        "share_holds": share <= LIMIT,
        "together": share + 1e-6 * highest / plain,
        "together_holds": share + 1e-6 * highest / plain <= LIMIT,
        "asking_holds": float(bounds.high) <= max(ASKING_LIMIT_US, 1e4 * plain),
        "samples": processes,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--program", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.program is not None:
        print(json.dumps(measured(given.program, given.rounds, given.seconds)))
        return
    rows = []
    for number in range(len(list(programs()))):
        call = [sys.executable, __file__, "--program", str(number)]
        call += ["--rounds", str(given.rounds), "--seconds", str(given.seconds)]
        done = [
            json.loads(subprocess.run(call, check=True, capture_output=True, text=True).stdout)
            for _ in range(given.processes)
        ]
        rows.append(judged(done))
        print({key: value for key, value in rows[-1].items() if key != "samples"}, flush=True)
    path = Path(__file__).parents[1] / "results" / machine() / "spot_checks.json"
    write_whole(path, json.dumps({"torch": torch.__version__, "threads": 1, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
