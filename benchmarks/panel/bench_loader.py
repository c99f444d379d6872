"""Samples a second from the mapped store against a Parquet read and a pandas slice for each item, bit-equal.

The whole size is 3,973 codes x 437 features with windows of 60 (--days 150: a store of 1 GB). How throughput changes
with the size of the store is in bench_store_sizes.

python -m benchmarks.panel.bench_loader --days 150 --out benchmarks/results/<machine>/panel/loader.json
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks.panel.item_data_sets import PandasItems, ParquetItems
from benchmarks.panel.turns import finish, options, take_turns
from hotloop.data.panel import PanelStore
from hotloop.data.panel.synthetic import SyntheticPanel, write_synthetic_panel

BATCH = 256


def main() -> None:
    parser = options(__doc__, rounds=10)
    parser.add_argument("--codes", type=int, default=3973)
    parser.add_argument("--days", type=int, default=150)
    parser.add_argument("--features", type=int, default=437)
    parser.add_argument("--length", type=int, default=60)
    parser.add_argument("--folder", type=Path, help="where panel and store are kept; a temporary folder without it")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.folder or Path(temporary)
        panel = SyntheticPanel(codes=asked.codes, days=asked.days, features=asked.features)
        parquet = folder / f"panel-{asked.codes}-{asked.days}-{asked.features}.parquet"
        if not parquet.exists():
            write_synthetic_panel(parquet, panel)
        store = PanelStore.build(parquet, folder / "stores", verify=False)
        windows = store.windows(asked.length)
        names = ("Parquet read per item", "pandas slice per item")
        items = dict(zip(names, (kind(parquet, store, windows.end_W, asked.length) for kind in _KINDS), strict=True))
        rng = np.random.default_rng(0)
        for index in rng.integers(0, len(windows), 8).tolist():
            assert all(torch.equal(items[name][index], windows[index].features) for name in names)

        def per_item(name: str) -> Callable[[], object]:
            return lambda: items[name][int(rng.integers(len(windows)))]

        variants = {name: per_item(name) for name in names}
        variants["store, one window as a view"] = lambda: windows[int(rng.integers(len(windows)))]
        variants["store, batch of 256"] = lambda: windows.batch(rng.integers(0, len(windows), BATCH))
        out = torch.empty(BATCH, asked.length, asked.features)
        variants["store, batch of 256 into memory that is there"] = lambda: windows.batch(
            rng.integers(0, len(windows), BATCH), out=out
        )
        calls = dict(zip(variants, (5, 5, 2000, 5, 5), strict=True))
        found = take_turns(variants, rounds=asked.rounds, calls=calls)
        batch = found["samples"]["store, batch of 256 into memory that is there"]
        found["samples"]["store, a sample of a batch"] = [value / BATCH for value in batch]
        found["counts"] = {
            "store_bytes": store.num_bytes,
            "samples_per_second": BATCH / float(np.median(batch)),
            "faster than a Parquet read by": _over(found, names[0]),
            "faster than a pandas slice by": _over(found, names[1]),
        }
        finish({f"{asked.codes} codes x {asked.features} features, L={asked.length}": found}, asked.out)


_KINDS = (ParquetItems, PandasItems)


def _over(found: dict, name: str) -> float:
    pairs = zip(found["samples"][name], found["samples"]["store, a sample of a batch"], strict=True)
    return float(np.median([slow / fast for slow, fast in pairs]))


if __name__ == "__main__":
    main()
