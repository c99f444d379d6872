"""What a store takes in memory while it is built: the keys of its rows, and neither its features nor its file."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from benchmarks.panel.bench_store_sizes import build
from hotloop.data.panel.synthetic import SyntheticPanel, write_synthetic_panel

FEATURES, DAYS = 200, 300
KEYS = 300  # bytes a row at the most: codes, days and their order, sorted


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs the /proc of Linux")
def test_twice_the_rows_take_no_more_than_their_keys(tmp_path):
    found = []
    for codes in (800, 1600):  # several row groups each
        panel = SyntheticPanel(codes=codes, days=DAYS, features=FEATURES, missing=0.0, delisted=0.0)
        parquet = write_synthetic_panel(tmp_path / f"{codes}.parquet", panel)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            found.append(pool.submit(build, parquet, tmp_path / f"{codes}", fit_rows=1000).result())
    small, large = found
    few, many = (codes * DAYS for codes in (800, 1600))
    assert large - small < KEYS * (many - few) < 0.5 * 4 * FEATURES * (many - few)
