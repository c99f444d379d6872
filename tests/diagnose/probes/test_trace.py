"""What only a GPU can show; the logic of the spies themselves has its tests on the CPU."""

import pytest
import torch

from hotloop.diagnose.probes.housekeeping import Housekeeping
from hotloop.diagnose.probes.transfers import Transfers
from hotloop.diagnose.trace_context import StepTime

from ..conftest import SCRIPTS

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


@pytest.mark.parametrize(("pin", "non_blocking", "fault"), [(False, True, "unpinned"), (True, False, "blocking")])
def test_a_copy_that_does_half_of_what_lets_it_overlap_is_told(scene, pin, non_blocking, fault):
    batch = torch.ones(1024, pin_memory=pin)
    spy = Transfers(scene)
    spy.open()
    batch.to("cuda", non_blocking=non_blocking)
    spy.step()
    spy.close()
    (finding,) = spy.report(StepTime(seconds=1.0)).findings
    assert (finding.code, finding.path, finding.evidence["fault"]) == ("SY09", __file__, fault)


def test_a_wait_for_the_device_in_every_step_is_told_with_the_time_it_takes(scene):
    spy = Housekeeping(scene)
    spy.open()
    torch.cuda.synchronize()
    spy.step()
    spy.close()
    (finding,) = spy.report(StepTime(seconds=1.0)).findings
    assert (finding.code, finding.path, finding.evidence["call"]) == ("SY08", __file__, "torch.cuda.synchronize")
    assert finding.share > 0
