import pytest
import torch

from ..conftest import SCRIPTS

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
PLANTED = SCRIPTS / "host_reads.py"


def test_the_trace_counts_kernels_and_copies(diagnosed):
    trace = diagnosed(PLANTED, "--device", "cuda").seen["trace"]
    assert trace["kernels_per_step"] > 10
    assert 0 < trace["kernel_share"] <= 1
