"""Samples a second of panel training in one process and in two ranks, one thread each, in turns; a quarter of an hour.

python -m benchmarks.panel.bench_ranks --out benchmarks/results/<machine>/panel/ranks.json
"""

import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import tomli_w

from benchmarks.panel.turns import finish, options

CONFIG = {
    "strategy": "panel",
    "data": {"synthetic": {"codes": 200, "days": 300, "features": 64}},
    "windows": {"length": 20, "samples_per_day": 96},
    "network": {"hidden": 32, "neighbors": 5},
    "training": {"epochs": 2, "lr": 0.003, "optimizer": "adamw", "clip_norm": 1.0},
}
DAYS_PER_BATCH = 4  # of all ranks together


def samples_per_second(ranks: int, folder: Path) -> float:
    """One run of that many ranks, start and data left out."""
    windows = {**CONFIG["windows"], "days_per_batch": DAYS_PER_BATCH // ranks}
    config, out = folder / f"{ranks}.toml", folder / f"{ranks}"
    config.write_text(tomli_w.dumps({**CONFIG, "windows": windows}), encoding="utf-8")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)]
    call = [*launch, "-m", "hotloop", "train", str(config), "--out", str(out)]
    subprocess.run(call, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL, check=True)
    return json.loads((out / "metrics.json").read_text(encoding="utf-8"))["samples_per_second"]


def main() -> None:
    asked = options(__doc__, rounds=5).parse_args()
    order, samples = random.Random(0), {1: [], 2: []}
    for _ in range(asked.rounds):
        for ranks in order.sample(list(samples), len(samples)):
            with tempfile.TemporaryDirectory() as folder:
                samples[ranks].append(samples_per_second(ranks, Path(folder)))
    ratios = sorted(two / one for one, two in zip(samples[1], samples[2], strict=True))
    middle = ratios[len(ratios) // 2]
    counts = {"two ranks over one": f"{middle:.2f}x [{ratios[0]:.2f}, {ratios[-1]:.2f}]"}
    finish({"ranks": {"samples": samples, "counts": counts}}, asked.out)


if __name__ == "__main__":
    main()
