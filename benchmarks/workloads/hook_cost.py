"""What the hooks cost an untouched program: blocks of the same loop with and without them, interleaved in one process.

    python benchmarks/workloads/hook_cost.py            # all rows, a quarter of an hour on a quiet machine
    python benchmarks/workloads/hook_cost.py --row 3    # one row again; the others stay as they are stored

Each program is measured in several fresh processes, one effect each, since where the heap of a process lies decides
more than any round. The clock is CPU time of the thread. Under glibc's allocator a step of the convolutions varies by
a tenth from block to block (page faults), so that it takes more rounds, and is measured under tcmalloc too. What the
hooks take is also timed where they stand, between the operators of a step, with the clock's own cost in it: that
resolves microseconds in a step of any length, but not what a hook makes slower behind it. A row holds where the
upper end of the timed figure is within the limit and the lower end of what the step got longer by is not beyond it.
Limit: 30 us a step, or 1 % of the step where that is more.
Writes benchmarks/results/<machine>/hook_cost.json.
"""

import argparse
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from scipy import stats
from torch import nn
from torch.optim import optimizer

from hotloop.machine.environment import record_environment
from hotloop.machine.installed import find_allocators
from hotloop.transform import Plan
from hotloop.whole_file import write_whole
from hotloop.worker.spec import Channel
from hotloop.worker.turns import Turns
from hotloop.workloads.hooks import hooked, steps_seen
from hotloop.workloads.patched import patched
from hotloop.workloads.started_plan import start

sys.path.insert(0, str(Path(__file__).parents[1] / "compare"))
from simulate import machine

ROWS = [(0, "glibc", 30), (1, "glibc", 40), (2, "glibc", 40), (2, "tcmalloc", 40)]  # program, allocator, rounds
TRIMMED = 0.25  # of each end, as in compare.inference


class OpenTurns(Turns):
    """Turns that never end, so that a block is timed from outside."""

    def start(self) -> None:
        """A fresh turn of more steps than a block has."""
        self._has_passed_barrier = True
        self._begin()
        self._left = 1 << 30


def programs():
    """Loops of three sizes: name, one step as a function, steps in a block."""

    def loop(model, inputs, targets):
        adamw = torch.optim.AdamW(model.parameters())

        def step():
            adamw.zero_grad()
            nn.functional.cross_entropy(model(inputs), targets).backward()
            adamw.step()

        return step

    labels = torch.randint(0, 8, (64,))
    small = nn.Sequential(nn.Linear(8, 8))
    mlp = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 8))
    conv = nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(8192, 8),
    )
    yield "Linear(8, 8)", loop(small, torch.randn(8, 8), labels[:8]), 200
    yield "MLP 64-256-256-8", loop(mlp, torch.randn(64, 64), labels), 60
    yield "two convolutions", loop(conv, torch.randn(32, 3, 16, 16), labels[:32]), 20


def timed(step, steps, turns):
    with ExitStack() as stack:
        if turns is not None:
            started = start(Plan())
            stack.enter_context(hooked(started, turns))
            stack.enter_context(steps_seen(started, turns))
            turns.start()
        for _ in range(12):  # the search for root modules is over by then; it is paid once, in the warmup
            step()
        began = time.thread_time()
        for _ in range(steps):
            step()
        return (time.thread_time() - began) / steps


def timed_in_place(step, turns, *, steps=200):
    """Microseconds a step in the hooks themselves: around the backward pass, and after the optimizer's step."""
    spent, marks = [], []
    original, hooks = torch.autograd.backward, optimizer._global_optimizer_post_hooks

    def behind_hook(*args, **kwargs):
        marks.append(time.thread_time_ns())
        original(*args, **kwargs)

    with ExitStack() as stack:
        stack.enter_context(patched(torch.autograd, "backward", behind_hook))
        started = start(Plan())
        stack.enter_context(hooked(started, turns))
        stack.enter_context(steps_seen(started, turns))
        turns.start()
        with_hook = torch.autograd.backward
        (number, after_step), *others = hooks.items()
        assert not others

        def before_hook(*args, **kwargs):
            marks.append(time.thread_time_ns())
            with_hook(*args, **kwargs)

        def timed_step(*args):
            marks.append(time.thread_time_ns())
            after_step(*args)
            marks.append(time.thread_time_ns())

        hooks[number] = timed_step
        stack.enter_context(patched(torch.autograd, "backward", before_hook))
        for at in range(12 + steps):
            marks.clear()
            step()
            before, behind, begun, ended = marks
            if at >= 12:
                spent.append(behind - before + ended - begun)
    return 1e-3 * float(stats.trim_mean(spent, 0.01))


def measure(number: int, rounds: int) -> dict:
    """Samples of one program in this process: seconds a step of each block, plain and hooked in random order."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    turns = OpenTurns(Channel(socket.socketpair()[0]), start(Plan()))
    order = random.Random(os.getpid())
    name, step, steps = list(programs())[number]
    samples = {"plain": [], "hooked": []}
    for _ in range(rounds):
        for arm in order.sample(["plain", "hooked"], 2):
            samples[arm].append(round(timed(step, steps, turns if arm == "hooked" else None), 9))
    return {"program": name, "in_place_us": timed_in_place(step, turns), "samples": samples}


def judged(allocator: str, done: list[dict]) -> dict:
    """One effect a process (the trimmed mean of the differences of its rounds), the interval over processes."""
    processes, in_place = [one["samples"] for one in done], [one["in_place_us"] for one in done]
    highest = float(stats.ttest_1samp(in_place, 0.0).confidence_interval(0.95).high)
    effects = [float(stats.trim_mean(np.subtract(taken["hooked"], taken["plain"]), TRIMMED)) for taken in processes]
    bounds = stats.ttest_1samp(effects, 0.0).confidence_interval(0.95)
    plain = statistics.median(statistics.median(taken["plain"]) for taken in processes)
    limit = max(30e-6, 0.01 * plain)
    return {
        "program": done[0]["program"],
        "allocator": allocator,
        "step_us": 1e6 * plain,
        "extra_us": 1e6 * statistics.mean(effects),
        "low_us": 1e6 * float(bounds.low),
        "high_us": 1e6 * float(bounds.high),
        "limit_us": 1e6 * limit,
        "in_place_us": statistics.mean(in_place),
        "in_place_high_us": highest,
        "holds": 1e-6 * highest <= limit and bool(bounds.low <= limit),
        "each_in_place_us": in_place,
        "samples": processes,
    }


def measured(program: int, allocator: str, rounds: int, processes: int) -> dict:
    """One row, with what it was measured on."""
    preload = find_allocators()[allocator] if allocator != "glibc" else ""
    call = [sys.executable, __file__, "--program", str(program), "--rounds", str(rounds)]
    surroundings = {**os.environ, "LD_PRELOAD": preload}
    done = [
        json.loads(subprocess.run(call, check=True, capture_output=True, text=True, env=surroundings).stdout)
        for _ in range(processes)
    ]
    row = judged(allocator, done)
    environment = record_environment(tuple(sys.argv), Path(__file__).parent)
    conditions = {
        "date": datetime.now(UTC).isoformat(),
        "threads": 1,
        "cpu": environment.cpu,
        "torch": torch.__version__,
        "git_revision": environment.git_revision,
    }
    return {**conditions, **row}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--row", type=int, choices=range(len(ROWS)))
    parser.add_argument("--rounds", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--program", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.program is not None:
        print(json.dumps(measure(given.program, given.rounds)))
        return
    numbers = range(len(ROWS)) if given.row is None else [given.row]
    missing = {ROWS[number][1] for number in numbers} - {"glibc", *find_allocators()}
    if missing:
        parser.error(f"{', '.join(missing)} is not installed: install it, or give --row with one of the other rows")
    path = Path(__file__).parents[1] / "results" / machine() / "hook_cost.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"] if given.row is not None else [None] * len(ROWS)
    for number in numbers:
        rows[number] = measured(*ROWS[number], given.processes)
        print({key: value for key, value in rows[number].items() if key != "samples"}, flush=True)
    write_whole(path, json.dumps({"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
