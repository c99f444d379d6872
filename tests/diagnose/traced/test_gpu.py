"""What only a GPU can show; the logic of the spies themselves has its tests on the CPU."""

import pytest
import torch

from .conftest import SCRIPTS

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
PLANTED = SCRIPTS / "host_reads.py"


def test_torch_s_own_warnings_name_no_line_that_the_spies_missed(diagnosed):
    diagnosis = diagnosed(PLANTED, "--device", "cuda")
    ours = {(f.path, f.line) for f in diagnosis.findings if f.code.startswith("SY")}
    torchs = {(path, line) for path, line, per_step in diagnosis.seen["sync_warnings"]["lines"] if per_step >= 0.5}
    assert torchs
    assert torchs <= ours


def test_the_trace_counts_kernels_and_copies(diagnosed):
    trace = diagnosed(PLANTED, "--device", "cuda").seen["trace"]
    assert trace["kernels_per_step"] > 10
    assert 0 < trace["kernel_share"] <= 1


def test_nothing_is_read_in_the_clean_twin(diagnosed):
    diagnosis = diagnosed(PLANTED, "--clean", "--device", "cuda")
    assert [f for f in diagnosis.findings if f.code.startswith("SY")] == []
    assert diagnosis.seen["trace"]["host_to_device_share"] > 0
