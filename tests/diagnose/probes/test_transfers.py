"""Copies that do half of what lets them overlap, on a device that every machine has, and on a GPU."""

import pytest
import torch

from hotloop.diagnose.phase_times import PhaseTimes
from hotloop.diagnose.probes.transfers import DeviceCopy, TransferProbe

from ..conftest import probe_steps

STEP = PhaseTimes(ordinary={"other": 1.0})


@pytest.mark.parametrize(
    ("pinned", "non_blocking", "source", "target", "fault"),
    [
        (False, True, "cpu", "cuda", "unpinned"),
        (True, False, "cpu", "cuda", "blocking"),
        (True, True, "cpu", "cuda", None),
        (False, False, "cpu", "cuda", None),
        (False, True, "cuda", "cuda", None),
        (False, True, "cuda", "cpu", None),
        (False, True, "cpu", "cpu", None),
        (False, True, "cpu", "mps", None),
    ],
)
def test_half_of_what_lets_a_copy_overlap_is_a_fault_on_accelerators_alone(pinned, non_blocking, source, target, fault):
    copy = DeviceCopy(source=source, target=target, is_pinned=pinned, non_blocking=non_blocking)
    assert copy.fault() == fault


@pytest.mark.parametrize(
    "call",
    [
        lambda x: x.to("meta", non_blocking=True),
        lambda x: x.to("meta", torch.float16, True),
        lambda x: torch.empty(4, device="meta").copy_(x, non_blocking=True),
        lambda x: torch.empty(4, device="meta").copy_(x, True),
    ],
)
def test_a_copy_to_a_device_without_pinned_memory_is_seen_at_its_line(context, call):
    probe = TransferProbe(context, accelerators=("meta",))  # a device that every machine has; nothing is copied to it
    with probe.active():
        call(torch.ones(4))
        torch.ones(4).to("meta")
        probe.step()
    (finding,) = probe.report(STEP).findings
    assert (finding.code, finding.path, finding.per_step) == ("SY09", __file__, 1.0)
    assert finding.evidence["fault"] == "unpinned"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(("pin", "non_blocking", "fault"), [(False, True, "unpinned"), (True, False, "blocking")])
def test_a_copy_that_does_half_of_what_lets_it_overlap_is_told(context, pin, non_blocking, fault):
    batch = torch.ones(1024, pin_memory=pin)
    probe = TransferProbe(context)
    probe_steps(probe, lambda: batch.to("cuda", non_blocking=non_blocking))
    (finding,) = probe.report(STEP).findings
    assert (finding.code, finding.path, finding.evidence["fault"]) == ("SY09", __file__, fault)
