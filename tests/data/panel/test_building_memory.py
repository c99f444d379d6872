"""What a store takes in memory while it is built: the keys of its rows, and neither its features nor its file."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from threading import Event, Thread

import pytest

from hotloop.data.panel import PanelStore
from hotloop.data.panel.synthetic import SyntheticPanel, write_synthetic_panel

FEATURES, DAYS = 200, 300
KEYS = 300  # bytes a row at the most: codes, days and their order, sorted


def anonymous() -> int:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("RssAnon:")[2].split()[0]) * 1024


def peak_of_building(parquet: Path) -> tuple[int, int]:
    """The most anonymous memory while a store is built, and the rows of the store."""
    peak, is_done = 0, Event()

    def watch() -> None:
        nonlocal peak
        while not is_done.wait(0.002):
            peak = max(peak, anonymous())

    watcher = Thread(target=watch)
    watcher.start()
    store = PanelStore.build(parquet, parquet.with_suffix(".stores"), fit_rows=1000, verify=False)
    is_done.set()
    watcher.join()
    return peak, len(store)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs the /proc of Linux")
def test_twice_the_rows_take_no_more_than_their_keys(tmp_path):
    found = []
    for codes in (800, 1600):  # several row groups each
        panel = SyntheticPanel(codes=codes, days=DAYS, features=FEATURES)
        parquet = write_synthetic_panel(tmp_path / f"{codes}.parquet", panel)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            found.append(pool.submit(peak_of_building, parquet).result())
    (small, few), (large, many) = found
    assert many > 1.9 * few
    assert large - small < KEYS * (many - few) < 0.5 * 4 * FEATURES * (many - few)
