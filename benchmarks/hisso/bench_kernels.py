"""Sine, RMS norm and a whole residual network: compiled kernels against pure torch, forward and forward with backward.

Both arms take turns in random order in one process with one thread; a turn is a block of calls. One ratio comes from
each round (pure torch over compiled: above 1 is faster). The interval is over rounds of ONE process: it does not cover
what differs between processes. Writes all samples to benchmarks/results/<machine>/hisso/bench_kernels.json.

python benchmarks/hisso/bench_kernels.py [--rounds 40] [--out FILE]
"""

import argparse
import copy
import dataclasses
import json
import os
import random
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from torch import Tensor

from hotloop import kernels
from hotloop.machine.environment import record_environment
from hotloop.measurement import Environment
from hotloop.models.residual import ResPSANN
from hotloop.train.flat.fused_network import fused_network
from hotloop.train.flat.parameters import FlatParameters
from hotloop.whole_file import write_whole

RESULTS = Path(__file__).parents[1] / "results"
BLOCK_S = 0.004  # seconds of one turn
RESAMPLES = 2000
Call = Callable[[], object]


def elementwise(kind: str, shape: tuple[int, ...], memory_format: torch.memory_format) -> Callable[[], Tensor]:
    """A call of one kernel on a fixed input; the feature dimension is the last of two, else dim 1."""
    torch.manual_seed(0)
    feature_dim = -1 if len(shape) == 2 else 1
    x = torch.randn(shape).contiguous(memory_format=memory_format).requires_grad_()
    raw = [torch.randn(shape[feature_dim]).requires_grad_() for _ in range(3)]
    if kind == "sine":
        return lambda: kernels.sine(x, *raw, feature_dim=feature_dim)
    return lambda: kernels.rms_norm(x, raw[0], feature_dim=feature_dim)


def with_backward(call: Callable[[], Tensor]) -> Call:
    """Forward and backward; gradients go to fresh memory, as after zero_grad."""
    gradient = torch.ones_like(call())
    leaves = _leaves(call())

    def run() -> None:
        torch.autograd.grad(call(), leaves, gradient)

    return run


def _leaves(y: Tensor) -> list[Tensor]:
    found, waiting, seen = [], [y.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            found.append(node.variable)
        waiting += [parent for parent, _ in node.next_functions]
    return found


def cases() -> dict[str, tuple[Call, Call]]:
    """By name: the call in pure torch and the compiled one."""
    layouts = {
        "64x64": ((64, 64), torch.contiguous_format),
        "512x64": ((512, 64), torch.contiguous_format),
        "512x32x4x4": ((512, 32, 4, 4), torch.contiguous_format),
        "512x32x4x4 channels last": ((512, 32, 4, 4), torch.channels_last),
    }
    table: dict[str, tuple[Call, Call]] = {}
    for kind in ("sine", "rms_norm"):
        for layout, (shape, memory_format) in layouts.items():
            call = elementwise(kind, shape, memory_format)
            table[f"{kind} {layout} forward"] = in_torch(no_grad(call)), no_grad(call)
            table[f"{kind} {layout} forward+backward"] = in_torch_backward(call), with_backward(call)
    for rows in (64, 512):
        table |= network(rows)
    return table


def network(rows: int) -> dict[str, tuple[Call, Call]]:
    """Forward and backward of the dense residual network of the portfolio case (2 blocks of 64)."""
    torch.manual_seed(0)
    net = ResPSANN(2, 2, hidden_layers=2, hidden_units=64, residual_alpha_init=0.1)
    x = torch.randn(rows, 2)
    parameters, ones = list(net.parameters()), torch.ones(rows, 2)

    def layers() -> None:
        torch.autograd.grad(net(x), parameters, ones)

    fused_net = copy.deepcopy(net)
    fused = fused_network(fused_net, FlatParameters(fused_net))
    if fused is None:
        sys.exit("nothing to compare: the whole network has no compiled form here (see hotloop machine)")

    def whole() -> None:
        fused.forward(x)
        fused.backward(ones)

    plain = in_torch(layers)
    return {f"network {rows} rows, by layer": (plain, layers), f"network {rows} rows, two operators": (plain, whole)}


def in_torch(call: Call) -> Call:
    """The call in pure torch."""

    def run() -> None:
        with kernels.prefer("torch"):
            call()

    return run


def in_torch_backward(call: Callable[[], Tensor]) -> Call:
    """Forward and backward in pure torch."""
    with kernels.prefer("torch"):
        return in_torch(with_backward(call))


def no_grad(call: Callable[[], Tensor]) -> Call:
    """The forward alone, as in inference."""
    return torch.no_grad()(call)


def turn(call: Call, count: int) -> float:
    """Seconds of one call, over a block of `count`."""
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count


def race(pair: tuple[Call, Call], rounds: int, order: random.Random) -> dict[str, Any]:
    """Samples of both arms, the median ratio and its bootstrap interval."""
    counts = [max(1, round(BLOCK_S / turn(call, max(1, round(BLOCK_S / turn(call, 3)))))) for call in pair]
    samples: list[list[float]] = [[], []]
    for _ in range(rounds):
        for arm in order.sample((0, 1), 2):
            samples[arm].append(turn(pair[arm], counts[arm]))
    logs = np.log(np.array(samples[0]) / np.array(samples[1]))
    draws = np.random.default_rng(0).choice(logs, (RESAMPLES, rounds))
    low, high = np.exp(np.quantile(np.median(draws, axis=1), (0.025, 0.975)))
    times = {"torch_s": samples[0], "compiled_s": samples[1]}
    return {"ratio": float(np.exp(np.median(logs))), "low": float(low), "high": float(high), **times}


def without_folders(environment: Environment) -> Environment:
    """The environment with the last part only of variables that hold a path: a cache lies elsewhere on each machine."""
    named = {name: Path(text).name if text.startswith("/") else text for name, text in environment.variables.items()}
    return dataclasses.replace(environment, variables=named)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if kernels.status().cpu != "native":
        sys.exit(f"nothing to compare: {kernels.status().reason}")
    environment = without_folders(record_environment(sys.argv, Path.cwd()))
    order, results = random.Random(0), {}
    for name, pair in cases().items():
        results[name] = found = race(pair, options.rounds, order)
        micro = [1e6 * float(np.median(found[arm])) for arm in ("torch_s", "compiled_s")]
        print(f"{name:45} torch {micro[0]:8.1f} us  compiled {micro[1]:8.1f} us   "
              f"{found['ratio']:5.2f}x [{found['low']:.2f}, {found['high']:.2f}]")  # fmt: skip
    machine = re.sub(r"[^a-z0-9]+", "-", f"{environment.cpu} {len(environment.cores)} cores".lower()).strip("-")
    out = options.out or RESULTS / machine / "hisso" / "bench_kernels.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    document = {"schema": 1, "environment": dataclasses.asdict(environment), "results": results}
    write_whole(out, json.dumps(document, indent=1, default=str) + "\n")


if __name__ == "__main__":
    main()
