"""A cycle of PPO (rollout and update) on shogi: the settings asked for against eager fp32, in lockstep; its phases.

`--amp bfloat16` helps where the CPU multiplies in bf16 (AMX, AVX-512 BF16); elsewhere it is emulated and much slower.

Both arms train the same tower from the same weights in one process, turn by turn in random order; a turn is an update
with its rollout. The first updates, which compile and allocate, are not counted. The ratio of each round is one sample;
the clock is the CPU time of the arm's thread, wall time is kept too. Floor and aim of the ratio: 1.7 and 2.2 on a CPU
without AMX, 3.3 and 4 with it. The share of the environment in each arm's cycle is printed.

Writes benchmarks/results/<machine>/bench_ppo_cycle.json with all samples.
"""

import argparse
import json
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1] / "compare"))

import torch
from simulate import machine

from benchmarks.ppo.turns import Turn
from hotloop import models
from hotloop.train.ppo.options import PPOOptions
from hotloop.train.ppo.run import PPORun, train_ppo
from hotloop.whole_file import write_whole
from hotloop.workloads.environments.shogi import ShogiConfig, ShogiEnvironment

RESULTS = Path(__file__).parents[1] / "results"
TOWERS = {"9x256": {"depth": 9, "width": 256, "se_ratio": 0.25}, "6x128": {"depth": 6, "width": 128, "se_ratio": 0}}
WARMUP = 2
SHOWN = {"reward": "forward and loss"}  # as the loop names what every strategy has


def arm(tower: dict[str, Any], chosen: dict[str, Any], asked: argparse.Namespace, runs: list[PPORun]) -> Turn:
    """A run that waits for its turns."""

    def run(after_update: Callable[[object], None]) -> None:
        environment = ShogiEnvironment(ShogiConfig(num_envs=asked.envs, random_plies=8))
        torch.manual_seed(0)
        model: Any = models.create("resnet", input_channels=46, num_actions=environment.actions.num_actions, **tower)
        per_update = asked.envs * asked.steps
        options = PPOOptions(
            total_steps=per_update * (WARMUP + asked.rounds),
            num_steps=asked.steps,
            batch_size=asked.batch,
            passes=asked.passes,
            threads=1,
            **chosen,
        )
        runs.append(train_ppo(model, environment, options, seed=0, on_update=after_update))

    return Turn(run)


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tower", choices=TOWERS, default="6x128")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--envs", type=int, default=16)
    parser.add_argument("--steps", type=int, default=32, help="of each environment in a rollout")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--passes", type=int, default=4)
    parser.add_argument("--amp", choices=["bfloat16"])
    parser.add_argument("--compile", action="store_true", help="compile the tuned arm's model")
    parser.add_argument("--dry", action="store_true", help="print, but write no results")
    asked = parser.parse_args()
    tuned = {"memory_format": "channels_last", "amp": asked.amp, "compile": "default" if asked.compile else None}
    runs: dict[str, list[PPORun]] = {"eager": [], "tuned": []}
    tower = TOWERS[asked.tower]
    arms = {"eager": arm(tower, {}, asked, runs["eager"]), "tuned": arm(tower, tuned, asked, runs["tuned"])}
    order = random.Random(0)
    for number in range(WARMUP + asked.rounds):
        for name in order.sample(list(arms), len(arms)):
            arms[name].take()
        print(f"round {number + 1} of {WARMUP + asked.rounds}", file=sys.stderr)
    for turn in arms.values():
        turn.take()  # let the run end, so that it tells its phases
    samples = {name: turn.samples[WARMUP:] for name, turn in arms.items()}
    ratios = [a["cpu"] / b["cpu"] for a, b in zip(samples["eager"], samples["tuned"], strict=True)]
    phases = {name: runs[name][0].phases for name in runs}
    report = {"tower": asked.tower, "options": vars(asked), "tuned": tuned, "samples": samples, "phases": phases}
    print(f"tuned against eager, CPU time of a cycle: {median(ratios):.2f}x ({min(ratios):.2f} to {max(ratios):.2f})")
    for name, seconds in phases.items():
        own = {phase: value for phase, value in seconds.items() if phase != "report"}  # there it waits for its turn
        shares = ", ".join(f"{SHOWN.get(phase, phase)} {value / sum(own.values()):.1%}" for phase, value in own.items())
        print(f"{name}: {shares}")
    if not asked.dry:
        folder = RESULTS / machine()
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / f"bench_ppo_cycle_{asked.tower}.json", json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
