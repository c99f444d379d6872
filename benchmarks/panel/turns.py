"""Variants of the same work take turns in random order; every sample is kept.

One process: the interval over rounds does not cover what differs between processes, so a claim runs the script several
times, and the files are read together.
"""

import argparse
import dataclasses
import json
import random
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hotloop.machine.environment import record_environment
from hotloop.whole_file import write_whole

Call = Callable[[], object]
WARMUP = 2


def take_turns(variants: Mapping[str, Call], *, rounds: int, calls: Mapping[str, int], seed: int = 0) -> dict[str, Any]:
    """Seconds of one call of each variant in each round; `calls` says how many make one turn."""
    order, samples = random.Random(seed), {name: [] for name in variants}
    for call in variants.values():
        for _ in range(WARMUP):
            call()
    for _ in range(rounds):
        for name in order.sample(list(variants), len(variants)):
            began = time.perf_counter()
            for _ in range(calls[name]):
                variants[name]()
            samples[name].append((time.perf_counter() - began) / calls[name])
    return {"samples": samples, "calls": dict(calls), "ratios": _ratios(samples)}


def options(description: str, *, rounds: int) -> argparse.ArgumentParser:
    """Options that every script here has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--out", type=Path, help="file for all samples, under benchmarks/results/<machine>/panel")
    return parser


def finish(found: Mapping[str, Any], out: Path | None) -> None:
    """Print the ratios, and write everything with its environment where a file was named."""
    for title, figures in found.items():
        print(title)
        for name, ratio in figures.get("ratios", {}).items():
            print(f"  {name}: {ratio['median']:.3g}x [{ratio['low']:.3g}, {ratio['high']:.3g}]")
        for name, figure in figures.get("counts", {}).items():
            print(f"  {name}: {figure}")
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        environment = dataclasses.asdict(record_environment((), Path.cwd()))
        places = {name for name, value in environment["variables"].items() if "/" in value}
        variables = {name: value for name, value in environment["variables"].items() if name not in places}
        environment.update(allocators={}, variables=variables)  # nothing of this machine's paths
        write_whole(out, json.dumps({"environment": environment, **found}, indent=1, default=str) + "\n")


def _ratios(samples: Mapping[str, list[float]]) -> dict[str, dict[str, float]]:
    """The first variant's time over that of each other one, round by round: above 1 the other is faster."""
    first, *others = samples
    found: dict[str, dict[str, float]] = {}
    for name in others:
        ratios = sorted(a / b for a, b in zip(samples[first], samples[name], strict=True))
        cut = max(0, round(0.05 * len(ratios)) - 1)
        found[name] = {"median": statistics.median(ratios), "low": ratios[cut], "high": ratios[-1 - cut]}
    return found
