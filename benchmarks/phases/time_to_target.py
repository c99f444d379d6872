"""Time to a training loss: phase training, sample selection and averaged weights beside tuned plain training.

For each task every arm is tuned over learning rates (and, with --decayed, budgets over which the rate falls to 0) on
seeds of their own; then each runs with its best setting on other seeds, all arms of a seed in turns of a few updates in
random order, on one thread. Cost is counted in passes (forward 1, backward 2 of a whole batch), and measured in CPU
time of the updates. An arm that does not reach the target within --most-passes counts as not reached. Ratios are cost
of plain training over cost of the arm, with a t interval of their logarithms over seeds.

Floors: "plain again" within 2 % of 1; guarded predictors >= 0.97; stale losses >= 1.15 on digits, aim 1.3, by CPU time
at a test score within 1 %; >= 0.98 on char_transformer, where the gate keeps it off. Aim of predictors: none, they do
not win.

Writes benchmarks/results/<machine>/phases/time_to_target.json with all curves and prints the table.
"""

import argparse
import dataclasses
import json
import math
import os
import random
import re
import sys
from itertools import product
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from scipy import stats

from benchmarks.phases.arms import ARMS, Training
from benchmarks.phases.tasks import TASKS, Task
from hotloop.machine.environment import record_environment
from hotloop.whole_file import write_whole

RESULTS = Path(__file__).parents[1] / "results"
Curve = list[dict[str, float]]
Setting = tuple[float, float | None]  # learning rate, budget in passes


def follow(trainings: dict[str, Training], *, most_passes: float, every: int, seed: int) -> dict[str, Curve]:
    """Curves of arms that train in turns until each has met its target or spent its passes."""
    order, curves = random.Random(seed), {name: [training.figures()] for name, training in trainings.items()}
    open_arms = set(trainings)
    while open_arms:
        for name in order.sample(sorted(open_arms), len(open_arms)):
            for _ in range(every):
                trainings[name].update()
            curves[name].append(trainings[name].figures())
            last = curves[name][-1]
            is_over = last["passes"] >= most_passes or not math.isfinite(last["train_loss"])
            if is_over or last["train_loss"] <= trainings[name].task.target:
                open_arms.discard(name)
    return curves


def cost(curve: Curve, target: float, quantity: str) -> float:
    """What was spent when the target was first met; infinity where it was not."""
    return next((point[quantity] for point in curve if point["train_loss"] <= target), math.inf)


def tuned(task: Task, arm: str, settings: list[Setting], *, seeds: range, options: argparse.Namespace) -> Setting:
    """The setting with the least passes to the target, as a geometric mean over seeds."""
    means = []
    for lr, budget in settings:
        costs = []
        for seed in seeds:
            training = ARMS[arm](task, lr=lr, budget=budget, seed=seed)
            curves = follow({arm: training}, most_passes=options.most_passes, every=options.every, seed=seed)
            costs.append(cost(curves[arm], task.target, "passes"))
        means.append(float(np.mean(np.log(costs))))
    best = settings[int(np.argmin(means))]
    print(f"{task.name}: {arm}: best (lr, budget) {best}", file=sys.stderr)
    return best


def measure(task: Task, options: argparse.Namespace) -> dict:
    """Best settings, and the curves of the seeds that count."""
    budgets = [None] if not options.decayed else [share * options.most_passes for share in (0.25, 0.5, 1.0)]
    settings = list(product(options.lrs or task.lrs, budgets))
    tuning_seeds = range(1000, 1000 + options.tuning_seeds)
    best = {arm: tuned(task, arm, settings, seeds=tuning_seeds, options=options) for arm in options.arms}
    if "plain again" in best:
        best["plain again"] = best["plain"]
    curves = {}
    for seed in range(options.seeds):
        trainings = {arm: ARMS[arm](task, lr=lr, budget=budget, seed=seed) for arm, (lr, budget) in best.items()}
        curves[str(seed)] = follow(trainings, most_passes=options.most_passes, every=options.every, seed=seed)
    return {"settings": best, "target": task.target, "curves": curves}


def interval(ratios: list[float]) -> str:
    """Geometric mean and t interval."""
    logs = np.log(ratios)
    if not np.isfinite(logs).all():
        return f"not reached in {int((~np.isfinite(logs)).sum())} of {len(logs)}"
    if len(logs) < 2 or np.ptp(logs) == 0:
        return f"{math.exp(logs.mean()):.2f}"
    low, high = stats.ttest_1samp(logs, 0.0).confidence_interval(0.95)
    return f"{math.exp(logs.mean()):.2f} [{math.exp(low):.2f}, {math.exp(high):.2f}]"


def table(results: dict[str, dict]) -> str:
    """Markdown: ratios to plain training by task and arm."""
    lines = ["| task | arm | passes [95 %] | CPU time [95 %] | test score |", "|---|---|---|---|---|"]
    for name, result in results.items():
        for arm in result["settings"]:
            ratios: dict[str, list[float]] = {"passes": [], "seconds": []}
            scores = []
            for curves in result["curves"].values():
                for quantity, values in ratios.items():
                    plain = cost(curves["plain"], result["target"], quantity)
                    mine = cost(curves[arm], result["target"], quantity)
                    values.append(plain / mine if math.isfinite(mine) else 0.0)
                scores.append(curves[arm][-1]["test_score"])
            with np.errstate(divide="ignore"):
                cells = [interval(values) for values in ratios.values()]
            lines.append(f"| {name} | {arm} | {cells[0]} | {cells[1]} | {np.mean(scores):.3f} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--lrs", nargs="+", type=float, help="in place of those of the task")
    parser.add_argument("--target", type=float, help="a training loss in place of that of the task")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--tuning-seeds", type=int, default=2)
    parser.add_argument("--decayed", action="store_true", help="learning rates that fall to 0, over several budgets")
    parser.add_argument("--most-passes", type=float, default=6000)
    parser.add_argument("--every", type=int, default=10, help="updates in a turn, and between two evaluations")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if "plain" not in options.arms:
        options.arms.insert(0, "plain")
    torch.set_num_threads(1)
    environment = record_environment(sys.argv, Path.cwd())
    slug = re.sub(r"[^a-z0-9]+", "-", f"{environment.cpu} {len(environment.cores)} cores".lower()).strip("-")
    name = "time_to_target_decayed.json" if options.decayed else "time_to_target.json"
    out = options.out or RESULTS / slug / "phases" / name
    results: dict[str, dict] = {}
    for task in options.tasks:
        made = TASKS[task]()
        made = made if options.target is None else dataclasses.replace(made, target=options.target)
        results[task] = measure(made, options)
        out.parent.mkdir(parents=True, exist_ok=True)
        document = {
            "environment": dataclasses.asdict(environment),
            "options": vars(options) | {"out": str(out)},
            "tasks": results,
        }
        write_whole(out, json.dumps(document, indent=1))
    print(table(results))


if __name__ == "__main__":
    main()
