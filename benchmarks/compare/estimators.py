"""Compares the figures that could stand for a block of steps, on simulated and on recorded identical workers.

    python benchmarks/compare/estimators.py [--samples BLOCKS.json ...]

Writes benchmarks/results/<machine>/estimators.json: why `pair_effect` takes the mean of a block and trims a quarter.
"""

import argparse
import dataclasses
import datetime
import itertools
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats
from simulate import KINDS, LEVELS, ROUNDS, STEPS, machine, step_seconds

from hotloop.whole_file import write_whole

BLOCK_FIGURES = {"minimum": np.min, "median": np.median, "mean": np.mean}


def estimators(series: int, seed: int) -> list[dict[str, Any]]:
    """Why the mean of a block, and why a quarter trimmed: error of the log ratio of a pair of identical workers.

    The last kind lets every fourth step of the second worker cost double: its true ratio is 1 / 1.25, log -0.223.
    """
    found: list[dict[str, Any]] = []
    for number, (kind, change) in enumerate([*KINDS.items(), ("uneven steps", {})]):
        noise = dataclasses.replace(LEVELS["0.5%"], **{**change, "between": 0.0})
        times = step_seconds(noise, series, 1, np.random.default_rng(seed + number))[:, 0, :2, :, 1:]
        if kind == "uneven steps":
            times[:, 1] *= 1 + (np.arange(ROUNDS * (STEPS - 1)) % 4 == 3).reshape(ROUNDS, STEPS - 1)
        found += [{"kind": kind, **row} for row in _by_estimator(times)]
    return found


def _by_estimator(times: np.ndarray) -> list[dict[str, Any]]:
    """Spread and mean of the log ratio over pairs; `times` has shape (pairs, 2 workers, rounds, kept steps)."""
    rows: list[dict[str, Any]] = []
    for name, figure in BLOCK_FIGURES.items():
        logs = np.log(figure(times, axis=-1))
        for trim in (0.0, 0.2, 0.25):
            ratios = stats.trim_mean(logs[:, 0] - logs[:, 1], trim, axis=-1)
            rows.append({"block": name, "trim": trim, "sd": float(ratios.std(ddof=1)), "mean": float(ratios.mean())})
    return rows


def recorded(blocks: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same for recorded blocks of identical workers, on each clock that they hold, over all pairs of arms."""
    arms = sorted({block["arm"] for block in blocks})
    pairs = sorted({block["pair"] for block in blocks})
    rows: list[dict[str, Any]] = []
    for clock in ("wall", "cpu"):
        if clock in blocks[0]:
            steps = {(b["pair"], b["arm"], b["round"]): b[clock][1:] for b in blocks}
            rounds = range(1 + max(b["round"] for b in blocks))
            every = [
                [[steps[pair, arm, number] for number in rounds] for arm in two]
                for pair in pairs
                for two in itertools.combinations(arms, 2)
            ]
            rows += [{"clock": clock, **row} for row in _by_estimator(np.array(every))]
    return rows


def line(name: str, row: Mapping[str, Any]) -> str:
    """One row for people."""
    return f"{name:<32} {row['block']:<8} trim {row['trim']:<4.0%} sd {row['sd']:.2%}, mean {row['mean']:+.2%}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--samples", type=Path, nargs="*", default=[], help="JSON lists of recorded blocks")
    results = Path(__file__).parents[1] / "results" / machine() / "estimators.json"
    parser.add_argument("--out", type=Path, default=results)
    options = parser.parse_args()
    rows = [(row["kind"], row) for row in estimators(options.series, options.seed)]
    for path in options.samples:
        blocks = json.loads(path.read_text(encoding="utf-8"))
        rows += [(f"{path.stem}, {row['clock']}", row) for row in recorded(blocks)]
    document = {
        "schema": 1,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": machine(),
        "command": shlex.join(["python", *sys.argv]),
        "rows": [{"kind": name, **row} for name, row in rows],
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(options.out, json.dumps(document, indent=1, allow_nan=False) + "\n")
    print("\n".join(line(name, row) for name, row in rows))


if __name__ == "__main__":
    main()
