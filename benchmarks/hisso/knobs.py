"""What three knobs of the episodic loop save: context once a series, clipping less or not, no updates of the state.

    python benchmarks/hisso/knobs.py [--rounds 20] [--output FILE]

Both arms of a pair train the same small network on the same draws, in one process with one thread, in random order. The
ratio is the loop with the knob as by default over the loop with it changed: above 1, the change is faster. The interval
is over rounds of ONE process: it does not cover what differs between processes. Writes all samples.
"""

import argparse
import json
import os
import random
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from torch import Tensor, nn

from hotloop.machine.environment import record_environment
from hotloop.models.dense import DensePSANN
from hotloop.models.residual import ResPSANN
from hotloop.models.state import StateConfig
from hotloop.train.episodic import EpisodicOptions, train_episodic
from hotloop.whole_file import write_whole

RESULTS = Path(__file__).parents[1] / "results" / "amd-epyc-2-cores" / "hisso"
EXTRACTOR_S = 0.001  # what one call of the extractor takes
RESAMPLES = 2000
PAIRS: dict[str, dict[str, Any]] = {
    "context per_series": {"context_mode": "per_series"},
    "clip_norm None": {"clip_norm": None},
    "clip_every 4": {"clip_every": 4},
    "state_updates False": {"state_updates": False},
}


def main() -> None:
    """Take the samples, print the ratios, write the document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--output", type=Path, default=RESULTS / "knobs.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    environment = asdict(record_environment(sys.argv, Path.cwd()))
    order, results = random.Random(0), {}
    for name, changed in PAIRS.items():
        results[name] = found = race(name, changed, options.rounds, options.epochs, order)
        sys.stdout.write(
            f"{name:20} default {found['default_ms_per_update']:.3f} ms an update, changed "
            f"{found['changed_ms_per_update']:.3f}   {found['ratio']:.2f}x [{found['low']:.2f}, {found['high']:.2f}]\n"
        )
    document = {"schema": 1, "environment": environment, "extractor_s": EXTRACTOR_S, "results": results}
    options.output.parent.mkdir(parents=True, exist_ok=True)
    write_whole(options.output, json.dumps(document, indent=1) + "\n")


def race(name: str, changed: dict[str, Any], rounds: int, epochs: int, order: random.Random) -> dict[str, Any]:
    """Samples of both arms, their median time an update, the median ratio and its bootstrap interval."""
    samples: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + 1):
        for arm in order.sample((0, 1), 2):
            taken = loop_s(name, changed if arm else {}, epochs)
            if number:  # the first round warms up
                samples[arm].append(taken)
    logs = np.log(np.array(samples[0]) / np.array(samples[1]))
    draws = np.random.default_rng(0).choice(logs, (RESAMPLES, rounds))
    low, high = np.exp(np.quantile(np.median(draws, axis=1), (0.025, 0.975)))
    plain, other = (1e3 * float(np.median(times)) / (32 * epochs) for times in samples)
    return {
        "ratio": float(np.exp(np.median(logs))),
        "low": float(low),
        "high": float(high),
        "default_ms_per_update": plain,
        "changed_ms_per_update": other,
        "default_loop_s": samples[0],
        "changed_loop_s": samples[1],
    }


def loop_s(name: str, changed: dict[str, Any], epochs: int) -> float:
    """Seconds of one run of the loop, 32 updates of one episode an epoch; for the context, its preparation included."""
    torch.manual_seed(0)
    series = torch.randn(512, 8, generator=torch.Generator().manual_seed(0))
    options = EpisodicOptions(epochs=epochs, window=64, primary_transform="tanh", phases="off", **changed)
    context = slow_context if name.startswith("context") else None
    began = time.perf_counter()
    run = train_episodic(network(name), series, options, context=context, seed=0)
    return time.perf_counter() - began if context else run.profile.total_time_s


def network(name: str) -> nn.Module:
    """A residual net of 2 x 64; for the state, a dense one that keeps one."""
    if name.startswith("state"):
        return DensePSANN(8, 3, hidden_layers=2, hidden_units=64, state=StateConfig())
    return ResPSANN(8, 3, hidden_layers=2, hidden_units=64)


def slow_context(inputs: Tensor) -> Tensor:
    """The inputs, after a millisecond."""
    until = time.perf_counter() + EXTRACTOR_S
    while time.perf_counter() < until:
        pass
    return inputs


if __name__ == "__main__":
    main()
