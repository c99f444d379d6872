"""Batches from mapped stores of 1, 3 and 10 GB in turns: is throughput flat? And what building them takes in memory.

Each store is built in a process of its own, whose peak of resident memory is told beside that of a process that has
only loaded what is needed. Each store's file is read once before turns are taken, so that what is compared is reading
from memory that the system holds; a store that does not fit there reads from the disk. Needs 25 GB of disk.

python -m benchmarks.panel.bench_store_sizes --out benchmarks/results/<machine>/panel/store_sizes.json
"""

import resource
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from benchmarks.panel.turns import Call, finish, options, take_turns
from hotloop.data.panel import PanelStore
from hotloop.data.panel.synthetic import SyntheticPanel, write_synthetic_panel

BATCH = 256


def build(parquet: Path, folder: Path) -> tuple[int, int]:
    """Build the store; the largest resident memory of this process before and after, in bytes."""
    before = _peak()
    PanelStore.build(parquet, folder, verify=False)
    return before, _peak()


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    parser = options(__doc__, rounds=20)
    parser.add_argument("--codes", type=int, default=3973)
    parser.add_argument("--days", type=int, nargs="+", default=[150, 450, 1500])
    parser.add_argument("--features", type=int, default=437)
    parser.add_argument("--length", type=int, default=60)
    parser.add_argument("--folder", type=Path, help="where stores are kept; a temporary folder without it")
    asked = parser.parse_args()
    rng, out = np.random.default_rng(0), torch.empty(BATCH, asked.length, asked.features)
    with tempfile.TemporaryDirectory() as temporary:
        folder, variants, counts = asked.folder or Path(temporary), {}, {}
        for days in asked.days:
            parquet = folder / f"panel-{asked.codes}-{days}-{asked.features}.parquet"
            panel = SyntheticPanel(codes=asked.codes, days=days, features=asked.features)
            write_synthetic_panel(parquet, panel)
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                before, after = pool.submit(build, parquet, folder / f"stores-{days}").result()
            store = PanelStore.build(parquet, folder / f"stores-{days}", verify=False)
            parquet.unlink()
            name = f"{store.num_bytes / 1e9:.2g} GB"
            variants[name] = _batches(store.windows(asked.length), rng, out)
            counts[f"{name}: bytes, resident before building and at its peak"] = (store.num_bytes, before, after)
            store.arrays.features_RF.sum()  # reads the file
        found = take_turns(variants, rounds=asked.rounds, calls=dict.fromkeys(variants, 10))
        for name, seconds in found["samples"].items():
            counts[f"{name}: samples a second"] = BATCH / float(np.median(seconds))
        finish(
            {f"{asked.codes} codes x {asked.features} features, L={asked.length}": {**found, "counts": counts}},
            asked.out,
        )


def _batches(windows, rng: np.random.Generator, out: torch.Tensor) -> Call:
    return lambda: windows.batch(rng.integers(0, len(windows), BATCH), out=out)


if __name__ == "__main__":
    main()
