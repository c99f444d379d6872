"""Times hotloop's estimators on the HISSO benchmark: dense and conv nets, compat and fast schedules.

    python benchmarks/hisso/variants.py --dataset portfolio --variants dense,conv --modes compat,fast --repeats 3

Wall is the whole fit with its warm start, profile the episodic loop. Times differ from machine to machine: to compare
with the peer use side_by_side.py, and to guard against regressions compare.py.
"""

import argparse
import json
import math
import os
import statistics
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from fitting import fit_once

from cases import DATASETS, MODES, REWARDS, VARIANTS, Case, Data, Schedule, make_case, make_data, schedules
from hotloop.machine.environment import record_environment
from hotloop.whole_file import write_whole


def main() -> None:
    """Run every variant in every mode, print a table and write the document."""
    options = _options()
    modes = schedules(
        (options.compat_batch_episodes, options.compat_updates_per_epoch),
        (options.fast_batch_episodes, options.fast_updates_per_epoch),
    )
    chosen = [modes[name] for name in options.modes.split(",")]
    data = {name: _data(options, name) for name in options.variants.split(",")}
    results: list[dict[str, Any]] = []
    for device in _devices(options.devices):
        for variant, series in data.items():
            for schedule in chosen:
                results.append(_run(options, device, variant, series, schedule))
                _print_row(results[-1])
    document = _document(options, next(iter(data.values())), chosen, results)
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        write_whole(options.output, json.dumps(document, indent=2) + "\n")


def calibrate(rounds: int = 9) -> float:
    """Seconds of one fixed computation on one thread, median: compare.py divides the speed of machines out by it."""
    rng = np.random.default_rng(0)
    a, vector = rng.standard_normal((160, 160)).astype(np.float32), rng.standard_normal(200_000).astype(np.float32)
    times: list[float] = []
    for _ in range(rounds):
        began = time.perf_counter()
        for _ in range(20):
            a @ a
            np.sin(vector)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--dataset", choices=DATASETS, default="portfolio")
    parser.add_argument("--dataset-path", type=Path, help="CSV file with date, open, close; without it, made prices")
    parser.add_argument("--variants", default=",".join(VARIANTS))
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument("--reward", choices=REWARDS, default="energy", help="the peer's -mean(a^2), or the return")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--window", type=int, default=64)
    parser.add_argument("--transition-penalty", type=float, default=0.02, help="of the reward 'return'")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--devices", default="auto", help="cpu, cuda, both with a comma, or auto")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--compat-batch-episodes", type=int, default=1)
    parser.add_argument("--compat-updates-per-epoch", type=int, default=32)
    parser.add_argument("--fast-batch-episodes", type=int, default=8)
    parser.add_argument("--fast-updates-per-epoch", type=int, default=4)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    for given, allowed in ((options.variants, VARIANTS), (options.modes, MODES)):
        if unknown := set(given.split(",")) - set(allowed):
            parser.error(f"got {', '.join(sorted(unknown))}; allowed are {', '.join(allowed)}")
    if options.reward == "return" and options.dataset != "portfolio":
        parser.error("--reward return needs prices, which only --dataset portfolio has")
    if min(options.epochs, options.repeats) < 1:
        parser.error("epochs and repeats must be at least 1")
    return options


def _devices(given: str) -> list[str]:
    if given == "auto":
        return ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    return given.split(",")


def _data(options: argparse.Namespace, variant: str) -> Data:
    return make_data(options.dataset, variant, seed=options.seed, path=options.dataset_path)


def _case(options: argparse.Namespace, device: str, variant: str, data: Data, schedule: Schedule) -> Case:
    return make_case(
        data,
        variant,
        schedule,
        epochs=options.epochs,
        window=options.window,
        seed=options.seed,
        penalty=options.transition_penalty,
        reward=options.reward,
        device=device,
    )


def _run(options: argparse.Namespace, device: str, variant: str, data: Data, schedule: Schedule) -> dict[str, Any]:
    case = _case(options, device, variant, data, schedule)
    order = {**asdict(case), "X": data.X, "y": data.y}
    runs = [fit_once("hotloop", order) for _ in range(options.repeats)]
    profile = runs[-1]["profile"]
    episodes = [sum(run["episodes"]) for run in runs]
    return {
        "variant": variant,
        "mode": schedule.name,
        "device": device,
        "dataset": data.name,
        "reward": options.reward,
        "runs": runs,
        **_summary("wall_time_s", [run["wall_s"] for run in runs]),
        **_summary("cpu_time_s", [run["cpu_s"] for run in runs]),
        **_summary("profile_time_s", [run["loop_s"] for run in runs]),
        **_summary("wall_throughput_eps_per_s", [n / run["wall_s"] for n, run in zip(episodes, runs, strict=True)]),
        **_summary("profile_throughput_eps_per_s", [n / run["loop_s"] for n, run in zip(episodes, runs, strict=True)]),
        **_summary("episodes_per_run", [float(n) for n in episodes]),
        **_trend("episodes_per_epoch", [run["episodes"] for run in runs]),
        **_trend("reward_trend", [run["rewards"] for run in runs]),
        "final_reward_mean": statistics.fmean(run["rewards"][-1] for run in runs),
        "final_reward_std": _std([run["rewards"][-1] for run in runs]),
        "allow_full_window": options.window >= len(data.X),
        "episode_length": profile["episode_length"],
        "configured_batch_episodes": schedule.batch_episodes,
        "configured_updates_per_epoch": schedule.updates_per_epoch,
        "resolved_episode_batch_size": profile["episode_batch_size"],
        "resolved_updates_per_epoch": profile["updates_per_epoch"],
        "resolved_episodes_per_epoch": runs[-1]["episodes"][-1],
        "series_length": len(data.X),
        "primary_dim": data.y.shape[1],
        "feature_shape": list(data.X.shape[1:]),
    }


def _summary(name: str, values: list[float]) -> dict[str, float]:
    return {f"mean_{name}": statistics.fmean(values), f"std_{name}": _std(values)}


def _trend(name: str, runs: list[list[float]]) -> dict[str, list[float]]:
    columns = list(zip(*runs, strict=True))
    return {
        f"{name}_mean": [statistics.fmean(column) for column in columns],
        f"{name}_std": [_std(column) for column in columns],
    }


def _std(values: Any) -> float:
    return statistics.pstdev(values) if all(map(math.isfinite, values)) else math.nan


def _print_row(row: dict[str, Any]) -> None:
    sys.stdout.write(
        f"{row['device']:<5} {row['variant']:<6} {row['mode']:<7} "
        f"B={row['configured_batch_episodes']} U={row['configured_updates_per_epoch']}  "
        f"fit {row['mean_wall_time_s']:.3f} s  loop {row['mean_profile_time_s']:.3f} s  "
        f"{row['mean_profile_throughput_eps_per_s']:.0f} episodes/s  final reward {row['final_reward_mean']:.4g}\n"
    )


def _document(
    options: argparse.Namespace, data: Data, chosen: list[Schedule], results: list[dict[str, Any]]
) -> dict[str, Any]:
    environment = record_environment(sys.argv, Path.cwd())
    return {
        "metadata": {
            "epochs": options.epochs,
            "window": options.window,
            "transition_penalty": options.transition_penalty,
            "repeats": options.repeats,
            "seed": options.seed,
            "reward": options.reward,
            "devices": _devices(options.devices),
            "torch_cuda_available": torch.cuda.is_available(),
            "variants": options.variants.split(","),
            "modes": options.modes.split(","),
            "dataset": options.dataset,
            "argv": sys.argv,
            "threads": torch.get_num_threads(),
            "calibration_s": calibrate(),
            "numpy": np.__version__,
            "environment": asdict(environment),
        },
        "dataset": {"name": data.name, "description": data.description, "source": data.source},
        "schedules": [asdict(schedule) for schedule in chosen],
        "results": results,
    }


if __name__ == "__main__":
    main()
