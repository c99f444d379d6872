"""What a step keeps in memory is counted exactly, and another batch is foretold."""

import json
from pathlib import Path

import pytest

from hotloop.errors import MeasurementError
from hotloop.memory import MemoryUse, measure_memory
from hotloop.workload import parse_workload

WEIGHTS = 4 * (6 * (256 * 1024 + 1024 + 1024 * 256 + 256) + 2 * 256)
GIB = 2**30


def measured(*arguments: str, **options) -> MemoryUse:
    return measure_memory(parse_workload("sized.py", arguments, folder=Path(__file__).parent), **options)


@pytest.fixture(scope="module")
def small():
    """A step with 64 samples."""
    return measured("64", cards={"card": GIB, "tiny": 2**20})


def test_weights_gradients_and_state_are_counted_to_the_byte(small):
    assert small.parameters == WEIGHTS
    assert small.gradients == WEIGHTS
    assert small.optimizer == 2 * WEIGHTS + 4 * 26  # Adam keeps two moments, and a step count for each tensor
    assert small.buffers == 2 * 4 * 256 + 8


def test_activations_belong_to_the_modules_that_keep_them(small):
    rows = {row["module"]: row for row in small.by_module}
    # a Tanh keeps its output, which the second Linear shares; the first Linear keeps its input
    assert rows["Net.blocks.3.1"]["activations_bytes"] == 64 * 1024 * 4
    assert rows["Net.blocks.3.0"] == {
        "module": "Net.blocks.3.0",
        "parameters_bytes": 4 * (256 * 1024 + 1024),
        "activations_bytes": 64 * 256 * 4,
    }
    assert small.activations >= 6 * 64 * (1024 + 256) * 4


def test_the_peak_of_a_larger_batch_is_foretold_within_a_tenth(small):
    large = measured("512")
    assert small.batch == 64
    foretold = small.peak + (512 - 64) * small.sample_bytes
    assert foretold == pytest.approx(large.peak, rel=0.1)


def test_the_largest_batch_fills_a_card_and_none_fits_where_the_weights_do_not(small):
    document = json.loads(small.to_json())
    assert document.keys() >= {
        "schema",
        "parameters_bytes",
        "gradients_bytes",
        "optimizer_bytes",
        "activations_bytes",
        "peak_bytes",
        "by_module",
        "largest_batch",
    }
    batch = document["largest_batch"]["card"]
    peak = small.peak + (batch - small.batch) * small.sample_bytes
    assert 0.89 * GIB < peak <= 0.9 * GIB
    assert document["largest_batch"]["tiny"] == 0


def test_what_is_recomputed_is_not_kept(small):
    assert measured("64", "--checkpoint").activations < 0.4 * small.activations


def test_a_program_of_two_steps_is_too_short():
    with pytest.raises(MeasurementError, match="ended before its step 3"):
        measured("8", "2")
