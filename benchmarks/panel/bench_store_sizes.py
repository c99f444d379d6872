"""Batches from mapped stores of 1, 3 and 10 GB in turns: is throughput flat? And what building them takes in memory.

Each store is built in a process of its own. Its largest anonymous memory is told, looked at every few milliseconds:
pages of the mapped file are the system's, which takes them back where it needs them. Each store's file is read once
before turns are taken, so that what is compared is reading from memory that the system holds; a store that does not fit
there reads from the disk. Needs 25 GB of disk.

python -m benchmarks.panel.bench_store_sizes --out benchmarks/results/<machine>/panel/store_sizes.json
"""

import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import torch

from benchmarks.panel.turns import Call, finish, options, take_turns
from hotloop.data.panel import PanelStore
from hotloop.data.panel.synthetic import SyntheticPanel, write_synthetic_panel

BATCH = 256


def build(parquet: Path, folder: Path, **options: Any) -> int:
    """Build the store; the most anonymous memory that this process had, less what it had before, in bytes."""
    before, peak, is_done = _anonymous(), 0, Event()

    def watch() -> None:
        nonlocal peak
        while not is_done.wait(0.005):
            peak = max(peak, _anonymous())

    watcher = Thread(target=watch)
    watcher.start()
    PanelStore.build(parquet, folder, verify=False, **options)
    is_done.set()
    watcher.join()
    return peak - before


def _anonymous() -> int:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("RssAnon:")[2].split()[0]) * 1024


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
                anonymous = pool.submit(build, parquet, folder / f"stores-{days}").result()
            store = PanelStore.build(parquet, folder / f"stores-{days}", verify=False)
            parquet.unlink()
            name = f"{store.num_bytes / 1e9:.2g} GB"
            variants[name] = _batches(store.windows(asked.length), rng, out)
            counts[f"{name}: bytes, and of anonymous memory while it was built"] = (store.num_bytes, anonymous)
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
