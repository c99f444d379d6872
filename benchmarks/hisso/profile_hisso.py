"""Where the time of the episodic loop goes, on a toy net: less than a second of work, for a quick look at a change.

    python benchmarks/hisso/profile_hisso.py [--epochs 4] [--json]

Linear(8, 64), tanh, Linear(64, 8); a series of 2048 x 8; windows of 64 steps; 8 updates of one episode an epoch.
"""

import argparse
import json
import os
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import nn

from hotloop.train.episodic import EpisodicOptions, train_episodic


def main() -> None:
    """Train once to warm up, once to measure, and print the profile."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--json", action="store_true", help="print the profile as JSON")
    options = parser.parse_args()
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 64), nn.Tanh(), nn.Linear(64, 8))
    series = torch.randn(2048, 8, generator=torch.Generator().manual_seed(0))
    asked = EpisodicOptions(
        epochs=options.epochs, window=64, batch_episodes=1, updates_per_epoch=8, primary_transform="tanh", phases="on"
    )
    train_episodic(model, series, asked, seed=0)
    began = time.perf_counter()
    profile = train_episodic(model, series, asked, seed=0).profile.as_dict()
    wall = time.perf_counter() - began
    if options.json:
        sys.stdout.write(json.dumps({**profile, "wall_s": wall}, indent=2) + "\n")
        return
    phases = {name: value for name, value in profile.items() if name.endswith("_time_s_total")}
    for name, value in {**profile, "wall_s": wall}.items():
        share = f"  {value / profile['total_time_s']:.1%} of the loop" if name in phases else ""
        sys.stdout.write(f"{name}: {value}{share}\n")


if __name__ == "__main__":
    main()
