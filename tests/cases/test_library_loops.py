"""The data path in the loops of other libraries: it reaches their loaders, and their batches stay the same."""

from pathlib import Path

import pytest

from hotloop.transform import Plan
from hotloop.verdict import Outcome, worst
from hotloop.verify.drift import DriftGate
from hotloop.worker.process import Settings
from hotloop.workload import parse_workload

pytestmark = pytest.mark.slow
PROGRAMS = Path(__file__).parents[2] / "benchmarks" / "data_path" / "programs"
CACHED, THREAD = {"name": "cached_samples"}, {"name": "prefetch_thread"}
WORKERS = {"name": "data_loading", "workers": 1}


@pytest.mark.parametrize(
    ("script", "library", "table", "words"),
    [
        ("trainer_text.py", "transformers", CACHED, "% of"),
        ("lightning_images.py", "lightning", CACHED, "% of"),
        ("lightning_images.py", "lightning", THREAD, "batches fetched by a thread"),
        ("geometric_graphs.py", "torch_geometric", THREAD, "batches fetched by a thread"),
        ("geometric_graphs.py", "torch_geometric", WORKERS, "data_loading on 1 of 1 loader"),
    ],
)
def test_the_loaders_of_a_library_are_reached_and_give_the_same_batches(script, library, table, words, tmp_path):
    pytest.importorskip(library)
    workload = parse_workload(script, ("--epochs", "3"), folder=PROGRAMS)
    result = DriftGate(workload, Settings(folder=tmp_path), steps=24).check(Plan.from_data([table]))
    assert worst(result.verdicts) is Outcome.PASS, [verdict.message for verdict in result.verdicts]
    assert words in result.verdicts[0].message
