"""A growing network beside gromo 0.1.0, on one host and one task: accuracy, compute, the time of a growth step.

Host: an MLP 64-8-8-10 on the digits of scikit-learn, ReLU, AdamW, the same split and order of batches. gromo widens its
hidden layers by its method TINY; hotloop puts seeds of the blueprint `mlp` behind them, which are trained, blended in
and kept by its lifecycle, or widens them as well, by `widen`: new units count for nothing at first, and the optimizer's
state of the old ones goes on. Each side runs in a process and an environment of its own. For each seed:

- hotloop grows for so many epochs: parameters and floating-point operations (counted by torch: training, validation,
  counterfactual passes) are what gromo is then given;
- gromo grows until its parameters are as many, once for as many epochs, once until it has spent as many operations
  (training and statistics; what its eigenvalue problems cost is not counted);
- a static MLP of as many parameters is trained for as many epochs, and the host as it began;
- hotloop widens up to as many parameters, at the epochs of gromo's growth steps, for as many epochs and, once more, on
  until it has spent as many operations;
- hotloop grows again, each way, with the optimizer's state thrown away at each change, as an optimizer that is built
  anew would, and once each way while seeds come and go all the time.

Differences are paired by seed, intervals are t over seeds (95 %). Nothing of this is timed. The time of one growth step
is CPU time: in each of some fresh pairs of processes both sides take turns in random order, the ratio of each round is
one sample, intervals are t over the pairs. The two steps are not the same work: gromo's works out the new weights from
all training batches at once, hotloop's plants a seed that is then trained beside the host, which is in the operations,
or draws new units at random.

--setup makes gromo's environment (torch's CPU build, versions from constraints.txt), a few minutes; without
--environment in a temporary folder. About 15 s a seed and 10 s a pair on one core.

python benchmarks/growth/against_gromo.py --setup --environment FOLDER [--seeds 10] [--processes 5] [--rounds 20]

Writes benchmarks/results/<machine>/growth/against_gromo.json with all samples.
"""

import argparse
import json
import math
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

from scipy import stats

from hotloop.whole_file import write_whole

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks" / "compare"))
from peer_environment import peer_environment  # noqa: E402
from simulate import machine  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results"
SIDES = Path(__file__).parent / "gromo_sides"
PEER = "gromo==0.1.0"
CPU_TORCH = "https://download.pytorch.org/whl/cpu"
GERMINATIONS = {"5": "b0", "20": "b1"}  # after so many epochs
GROMO = {"first": 5, "every": 5, "neurons": 8}  # epochs before its first growth step, between two, and what one may add
ARMS = ("equal parameters", "equal compute")
Side = Callable[..., Any]


@contextmanager
def side(python: str, name: str) -> Iterator[Side]:
    """Asks a side's process to do something. Raises RuntimeError where the process is gone."""
    variables = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [python, str(SIDES / f"{name}_side.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=variables,
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def ask(do: str, **options: Any) -> Any:
        process.stdin.write(json.dumps({"do": do, **options}) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"{name} ended with {process.wait()}; its errors are above")
        return json.loads(line)

    try:
        yield ask
    finally:
        process.stdin.close()
        process.wait()


def environment(folder: Path, *, setup: bool) -> str:
    """The interpreter that has gromo. Ends the program where there is none and none is to be made."""
    python = folder / "bin" / "python"
    if not python.exists():
        if not setup:
            sys.exit(f"no {python}; --setup makes it")
        pinned = ["-c", str(ROOT / "constraints.txt")]
        return peer_environment(folder, [*pinned, "--index-url", CPU_TORCH, "torch"], [*pinned, PEER, "scikit-learn"])
    return str(python)


def static_width(parameters: int) -> int:
    """The width of two equal hidden layers whose number of parameters is nearest."""
    return min(range(1, 200), key=lambda width: abs(width * width + 76 * width + 10 - parameters))


def accuracies(ours: Side, theirs: Side, seed: int, epochs: int) -> dict[str, Any]:
    """All arms of one seed."""
    plan: dict[str, Any] = {"seed": seed, "epochs": epochs}
    grown = ours("train", **plan, germinations=GERMINATIONS)
    width = static_width(grown["parameters"])
    gromo = theirs("train", **plan, **GROMO, parameters=grown["parameters"], flops=grown["flops"])
    wider = {**plan, **GROMO, "parameters": grown["parameters"]}
    return {
        "hotloop": grown,
        **{f"gromo, {arm}": gromo[arm] for arm in ARMS},
        "gromo_growth_steps": gromo["growth_steps"],
        "static, equal parameters": ours("train", **plan, germinations={}, widths=[width, width]),
        "static, as it began": ours("train", **plan, germinations={}),
        "hotloop, widened": ours("widened", **wider),
        "hotloop, widened, equal compute": ours("widened", **wider, flops=grown["flops"]),
        "hotloop, widened, state thrown away": ours("widened", **wider, throws_state=True),
        "hotloop, state thrown away": ours("train", **plan, germinations=GERMINATIONS, throws_state=True),
        "churn, state kept": ours("churn", **plan, throws_state=False),
        "churn, state thrown away": ours("churn", **plan, throws_state=True),
    }


def growth_steps(python: str, rounds: int, seed: int) -> dict[str, list[float]]:
    """CPU seconds of each side's growth steps, in one pair of processes."""
    samples: dict[str, list[float]] = {"hotloop": [], "widen": [], "gromo": []}
    order = random.Random(seed)
    with side(sys.executable, "hotloop") as ours, side(python, "gromo") as theirs:
        sides = {"hotloop": ours, "gromo": theirs}
        for number in range(rounds + 1):  # the first round warms up
            for name in order.sample(list(sides), len(sides)):
                spent = sides[name]("growth_step", seed=number, neurons=GROMO["neurons"])
                if number:
                    samples[name].append(spent["cpu"])
                    samples["widen"] += [spent["widen"]] if "widen" in spent else []
    return samples


def margin(values: list[float]) -> float:
    """Half of the 95 % interval of the mean; infinite for one value."""
    if len(values) < 2:
        return math.inf
    return stats.t.ppf(0.975, len(values) - 1) * stdev(values) / math.sqrt(len(values))


def difference(seeds: list[dict[str, Any]], first: str, second: str) -> str:
    """Test accuracy of the first arm less that of the second."""
    gains = [arms[first]["test_accuracy"] - arms[second]["test_accuracy"] for arms in seeds]
    mean, half = fmean(gains), margin(gains)
    return f"{first} less {second}: {mean:+.2f} points [{mean - half:+.2f}, {mean + half:+.2f}]"


def summary(seeds: list[dict[str, Any]], pairs: list[dict[str, list[float]]]) -> list[str]:
    """What came out, line by line."""
    lines: list[str] = []
    for name in (arm for arm in seeds[0] if arm != "gromo_growth_steps"):
        values = [arms[name]["test_accuracy"] for arms in seeds]
        line = f"{name}: test accuracy {fmean(values):.2f} % +- {margin(values):.2f}"
        line += f", {fmean(arms[name]['parameters'] for arms in seeds):.0f} parameters"
        if "flops" in seeds[0][name]:
            line += f", {fmean(arms[name]['flops'] for arms in seeds) / 1e6:.0f} Mflop"
            line += f", {fmean(arms[name]['epochs'] for arms in seeds):.0f} epochs"
        lines.append(line)
    lines += [difference(seeds, "hotloop", f"gromo, {arm}") for arm in ARMS]
    lines += [difference(seeds, "hotloop", "static, equal parameters")]
    lines += [difference(seeds, "hotloop, widened", "gromo, equal parameters")]
    lines += [difference(seeds, "hotloop, widened, equal compute", "gromo, equal compute")]
    lines += [difference(seeds, "hotloop, widened", "static, equal parameters")]
    lines += [difference(seeds, kept, thrown) for kept, thrown in THROWN.items()]
    lines += [after_change(seeds, kept, thrown) for kept, thrown in THROWN.items()]
    return [*lines, *(one_step(pairs, name) for name in ("hotloop", "widen") if pairs)]


def one_step(pairs: list[dict[str, list[float]]], name: str) -> str:
    """gromo's time for a growth step over ours."""
    logs = [fmean(math.log(b / a) for a, b in zip(pair[name], pair["gromo"], strict=True)) for pair in pairs]
    mean, half = fmean(logs), margin(logs)
    ours, theirs = (median(median(pair[one]) for pair in pairs) * 1e3 for one in (name, "gromo"))
    ratio = f"{math.exp(mean):.1f}x [{math.exp(mean - half):.1f}, {math.exp(mean + half):.1f}]"
    return f"one growth step, {name}: {ours:.2f} ms, gromo {theirs:.2f} ms, {ratio}"


THROWN = {
    "hotloop": "hotloop, state thrown away",
    "hotloop, widened": "hotloop, widened, state thrown away",
    "churn, state kept": "churn, state thrown away",
}


def after_change(seeds: list[dict[str, Any]], kept: str, thrown: str) -> str:
    """How much higher the training loss is without the state, over all epochs after the first change."""
    first = 1 if kept.startswith("churn") else GROMO["first"]
    ratios = [
        math.log(fmean(arms[thrown]["train_losses"][first:]) / fmean(arms[kept]["train_losses"][first:]))
        for arms in seeds
    ]
    mean, half = fmean(ratios), margin(ratios)
    return (
        f"training loss after the first change, {thrown} over {kept}: "
        f"{math.exp(mean):.3f}x [{math.exp(mean - half):.3f}, {math.exp(mean + half):.3f}]"
    )


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environment", type=Path, help="where gromo's environment is, or is to be")
    parser.add_argument("--setup", action="store_true", help="make it where it is missing")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--processes", type=int, default=5, help="pairs in which growth steps are timed; 0 times none")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    out = asked.out or RESULTS / machine() / "growth" / "against_gromo.json"
    before = json.loads(out.read_text(encoding="utf-8")) if out.is_file() else {}
    settings = {"epochs": asked.epochs, "peer": PEER, "rounds": asked.rounds}
    if before.get("settings") != settings:
        before = {}
    with tempfile.TemporaryDirectory() as folder:
        python = environment(asked.environment or Path(folder) / "gromo", setup=asked.setup)
        seeds, pairs = before.get("seeds", []), before.get("pairs", [])
        with side(sys.executable, "hotloop") as ours, side(python, "gromo") as theirs:
            for seed in range(len(seeds), asked.seeds):
                seeds.append(accuracies(ours, theirs, seed, asked.epochs))
        for number in range(len(pairs), asked.processes):
            pairs.append(growth_steps(python, asked.rounds, number))
    lines = summary(seeds, pairs)
    report = {"settings": settings, "seeds": seeds, "pairs": pairs, "summary": lines}
    out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out, json.dumps(report, indent=1) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
