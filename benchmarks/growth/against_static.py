"""A network that grows against networks that do not: test accuracy at equal parameters and at equal compute.

For each seed: the digits host grows under the heuristic controller of configs/growth/heuristic.toml. Then hosts that
never grow are trained by the same code on the same batches: `small`, the host as it began; `equal parameters`, as
wide as it must be to have the parameters that the grown one ended with, for as many epochs; `equal compute`, the same
width for as many epochs as cost what the growing run did. Compute is floating-point operations of forward and
backward, counted by torch for a batch of each architecture, training alone. Differences are paired by seed; intervals
are t over seeds.

Nothing is timed, so that load does not matter: about 3 minutes a seed on one core. Seeds are added to what the file
holds, so that they can be run one after another. Writes benchmarks/results/<machine>/growth/against_static.json.

python benchmarks/growth/against_static.py [--seeds 0 1 2 3 4] [--epochs 60] [--out FILE]
"""

import argparse
import json
import math
import os
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from scipy import stats
from torch.utils.flop_counter import FlopCounterMode

from hotloop.runs.growth_config import GrowthRunConfig
from hotloop.whole_file import write_whole
from hotloop.workloads.growth.actions import ActionSpace
from hotloop.workloads.growth.build_training import build_training
from hotloop.workloads.growth.cnn_host import CnnHost
from hotloop.workloads.growth.growing_network import GrowingNetwork
from hotloop.workloads.growth.growth_training import GrowthTraining
from hotloop.workloads.growth.heuristic import HeuristicController
from hotloop.workloads.growth.shared_epochs import SharedEpochs
from hotloop.workloads.growth.task import GrowthTask, load_task
from hotloop.workloads.growth.validation import validate

sys.path.insert(0, str(Path(__file__).parents[1] / "compare"))
from simulate import machine

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
CONFIG = ROOT / "configs" / "growth" / "heuristic.toml"
WIDTHS = (4, 8, 8)  # of the host of the task


def flops_of_epoch(training: GrowthTraining) -> float:
    """Floating-point operations of forward and backward over one epoch, as the network is now."""
    batch = tuple(part[: training.task.batch_size] for part in training.task.train)
    with FlopCounterMode(display=False) as counter:
        training.task.strategy.loss(training.network, batch).value.backward()
    training.optimizer.zero_grad(set_to_none=True)
    return counter.get_total_flops() * len(training.task.train[1]) / len(batch[1])


def host_of(scale: float) -> CnnHost:
    """The host of the task with all widths multiplied."""
    return CnnHost(channels=1, classes=10, widths=tuple(max(1, round(width * scale)) for width in WIDTHS))


def scale_for(parameters: int) -> float:
    """The multiple of the widths whose number of parameters is nearest."""
    scales = [1.0 + step / 64 for step in range(640)]
    return min(scales, key=lambda scale: abs(sum(p.numel() for p in host_of(scale).parameters()) - parameters))


def trained(training: GrowthTraining, epochs: int, controller: HeuristicController | None = None) -> dict[str, Any]:
    """Train to the end: parameters, operations, accuracy on the test part."""
    flops = 0.0
    for _ in range(epochs):
        flops += flops_of_epoch(training)
        training.epoch()
        if controller is not None:
            training.apply(controller.decide(training.view()))
    test = SharedEpochs(training.task.test, batch_size=64, seed=0, device=torch.device("cpu"))
    network: GrowingNetwork = training.network
    found = validate(network, lambda _: training.task.strategy, test.epoch(0))
    return {
        "test_accuracy": found.accuracy,
        "test_loss": found.loss,
        "parameters": network.num_parameters(),
        "flops": flops,
        "epochs": epochs,
        "slots": {
            name: [str(life.stage), network.slot(name).blueprint] for name, life in training.keeper.lives.items()
        },
    }


def measure(task: GrowthTask, config: GrowthRunConfig, seed: int, epochs: int) -> dict[str, dict[str, Any]]:
    """All arms for one seed."""
    options = replace(config.growth, epochs=epochs)
    growing = build_training(task, options, seed=seed)
    space = ActionSpace(growing.network.kind, growing.network.slot_names, blueprints=config.heuristic.blueprints)
    arms = {"growing": trained(growing, epochs, HeuristicController(config.heuristic, space))}
    arms["small"] = trained(build_training(task, options, seed=seed), epochs)
    scale = scale_for(arms["growing"]["parameters"])
    wide = replace(task, build_host=lambda: host_of(scale))
    arms["equal parameters"] = trained(build_training(wide, options, seed=seed), epochs)
    each = arms["equal parameters"]["flops"] / epochs
    longer = max(1, round(arms["growing"]["flops"] / each))
    arms["equal compute"] = trained(build_training(wide, replace(options, epochs=longer), seed=seed), longer)
    return arms


def summary(seeds: dict[str, dict[str, dict[str, Any]]]) -> list[str]:
    """The growing network's test accuracy less that of each other arm, with 95 % intervals over seeds."""
    lines: list[str] = []
    for name in ("growing", "small", "equal parameters", "equal compute"):
        values = [arms[name]["test_accuracy"] for arms in seeds.values()]
        parameters = fmean(arms[name]["parameters"] for arms in seeds.values())
        line = f"{name}: test accuracy {fmean(values):.2f} %, {parameters:.0f} parameters"
        if name != "growing" and len(values) > 1:
            gains = [arms["growing"]["test_accuracy"] - arms[name]["test_accuracy"] for arms in seeds.values()]
            margin = stats.t.ppf(0.975, len(gains) - 1) * stdev(gains) / math.sqrt(len(gains))
            line += f"; growing {fmean(gains):+.2f} points [{fmean(gains) - margin:+.2f}, {fmean(gains) + margin:+.2f}]"
        lines.append(line)
    return lines


def main() -> None:
    """Measure, write after each seed, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    out = asked.out or RESULTS / machine() / "growth" / "against_static.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    seeds: dict[str, Any] = {}
    if out.is_file():
        before = json.loads(out.read_text(encoding="utf-8"))
        seeds = before["seeds"] if before["epochs"] == asked.epochs else {}
    config = GrowthRunConfig.model_validate(tomllib.loads(CONFIG.read_text(encoding="utf-8")))
    task = load_task("digits")
    for seed in asked.seeds:
        seeds[str(seed)] = measure(task, config, seed, asked.epochs)
        lines = summary(seeds)
        report = {"epochs": asked.epochs, "torch": torch.__version__, "seeds": seeds, "summary": lines}
        write_whole(out, json.dumps(report, indent=1) + "\n")
        print(f"seed {seed} done", file=sys.stderr)
    print("\n".join(summary(seeds)))


if __name__ == "__main__":
    main()
