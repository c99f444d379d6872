import pytest
import torch

from ..conftest import SCRIPTS

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
PLANTED = SCRIPTS / "host_reads.py"


def test_torch_s_own_warnings_name_no_line_that_the_other_probes_missed(diagnosed):
    diagnosis = diagnosed(PLANTED, "--device", "cuda")
    ours = {(f.path, f.line) for f in diagnosis.findings if f.code.startswith("SY")}
    torchs = {(path, line) for path, line, per_step in diagnosis.seen["sync_warnings"]["lines"] if per_step >= 0.5}
    assert torchs
    assert torchs <= ours
