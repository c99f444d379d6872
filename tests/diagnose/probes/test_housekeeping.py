"""Housekeeping in a program that has some in every step, its clean twin, and the probe in this process."""

import gc

import pytest
import torch

from hotloop.diagnose.phase_times import PhaseTimes
from hotloop.diagnose.probes.housekeeping import HousekeepingProbe
from hotloop.transform import Plan
from hotloop.worker.process import Settings, Worker
from hotloop.workload import parse_workload

from ..conftest import PROGRAMS, marked, probe_steps

PROGRAM = PROGRAMS / "housekeeping.py"
CODES = ("SY08", "DA08")
STEP = PhaseTimes(ordinary={"other": 1.0})


def found(diagnosis):
    return {f.line: f.code for f in diagnosis.findings if f.code in CODES}


def test_every_planted_fault_is_found_at_its_line_under_its_rule(diagnosed):
    assert found(diagnosed(PROGRAM)) == marked(PROGRAM, *CODES)


def test_nothing_of_it_is_found_in_the_clean_twin(diagnosed):
    assert found(diagnosed(PROGRAM, "--clean")) == {}


def test_housekeeping_is_told_with_its_count_share_and_limit(diagnosed):
    costs = {f.evidence["call"]: f for f in diagnosed(PROGRAM).findings if f.code == "SY08"}
    assert {f.per_step for f in costs.values()} <= {1.0, 2.0}
    collecting = costs["gc.collect"]
    assert 0 < collecting.share < 1
    assert collecting.amdahl_limit == pytest.approx(1 / (1 - collecting.share))
    assert costs["torch.cuda.empty_cache"].share < 0.01  # nothing to empty here


def test_the_losses_under_these_probes_are_those_of_a_run_without(diagnosed, tmp_path):
    probed = diagnosed(PROGRAM).losses
    workload = parse_workload(PROGRAM.name, folder=PROGRAM.parent)
    with Worker(workload, Plan(), Settings(folder=tmp_path)) as worker:
        worker.wait_at_barrier()
        assert list(probed) == list(worker.turn(len(probed)).losses)


def test_every_function_is_back_in_its_place_when_the_window_has_closed(context):
    before = gc.collect, torch.cuda.synchronize, torch.cuda.memory.empty_cache
    with HousekeepingProbe(context).active():
        assert gc.collect is not before[0]
    assert (gc.collect, torch.cuda.synchronize, torch.cuda.memory.empty_cache) == before


def test_housekeeping_now_and_then_is_no_finding(context):
    probe = HousekeepingProbe(context)
    with probe.active():
        for step in range(10):
            if step % 2 == 0:
                gc.collect(0)
            probe.step()
    report = probe.report(STEP)
    assert report.findings == []
    assert report.data["lines"][0][3] == 0.5


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_wait_for_the_device_in_every_step_is_told_with_the_time_it_takes(context):
    probe = HousekeepingProbe(context)
    probe_steps(probe, lambda: torch.cuda.synchronize() or None)  # by the name, where the probe has put its own
    (finding,) = probe.report(STEP).findings
    assert (finding.code, finding.path, finding.evidence["call"]) == ("SY08", __file__, "torch.cuda.synchronize")
    assert finding.share > 0
