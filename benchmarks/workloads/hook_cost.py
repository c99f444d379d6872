"""What the hooks cost an untouched program: blocks of the same loop with and without them, interleaved in one process.

    python benchmarks/workloads/hook_cost.py

Limit: 30 us a step, or 1 % of the step where that is more. Writes benchmarks/results/<machine>/hook_cost.json.
"""

import argparse
import json
import random
import socket
import statistics
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import torch
from scipy import stats
from torch import nn

from hotloop.measure.environment import record_environment
from hotloop.measure.protocol import Channel
from hotloop.measure.turns import Turns
from hotloop.transform import Plan
from hotloop.workloads.hooks import Sites, hooked, steps_seen

sys.path.insert(0, str(Path(__file__).parents[1] / "measure"))
from simulate import machine


class OpenTurns(Turns):
    """Turns that never end, so that a block is timed from outside."""

    def start(self) -> None:
        """A fresh turn of more steps than a block has."""
        self._gate_is_open = True
        self._begin()
        self._left = 1 << 30


def programs():
    """Loops of three sizes: name, one step as a function, steps in a block."""

    def loop(model, inputs, targets):
        optimizer = torch.optim.AdamW(model.parameters())

        def step():
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(inputs), targets).backward()
            optimizer.step()

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
    yield "two convolutions", loop(conv, torch.randn(32, 3, 16, 16), labels[:32]), 10


def timed(step, steps, turns):
    with ExitStack() as stack:
        if turns is not None:
            sites = Sites(Plan())
            stack.enter_context(hooked(sites, turns))
            stack.enter_context(steps_seen(sites, turns))
            turns.start()
        for _ in range(12):  # the search for root modules is over by then; it is paid once, in the warmup
            step()
        began = time.perf_counter()
        for _ in range(steps):
            step()
        return (time.perf_counter() - began) / steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    turns = OpenTurns(Channel(socket.socketpair()[0]), Sites(Plan()))
    order = random.Random(0)
    rows = []
    for name, step, steps in programs():
        samples = {"plain": [], "hooked": []}
        for _ in range(given.rounds):
            arms = list(samples)
            order.shuffle(arms)
            for arm in arms:
                samples[arm].append(timed(step, steps, turns if arm == "hooked" else None))
        extra = [hooked_ - plain for hooked_, plain in zip(samples["hooked"], samples["plain"], strict=True)]
        bounds = stats.bootstrap((extra,), statistics.median, vectorized=False, n_resamples=2000).confidence_interval
        plain = statistics.median(samples["plain"])
        limit = max(30e-6, 0.01 * plain)
        rows.append(
            {
                "program": name,
                "step_us": 1e6 * plain,
                "extra_us": 1e6 * statistics.median(extra),
                "low_us": 1e6 * float(bounds.low),
                "high_us": 1e6 * float(bounds.high),
                "limit_us": 1e6 * limit,
                "holds": bool(bounds.high <= limit),
                "samples": samples,
            }
        )
        print({key: value for key, value in rows[-1].items() if key != "samples"}, flush=True)
    environment = record_environment(tuple(sys.argv), Path(__file__).parent)
    path = Path(__file__).parents[1] / "results" / machine() / "hook_cost.json"
    document = {"date": datetime.now(UTC).isoformat(), "threads": 1, "cpu": environment.cpu, "torch": torch.__version__}
    path.write_text(json.dumps({**document, "rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
