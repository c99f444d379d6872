"""Housekeeping and single samples: one program that has them all, and its clean twin."""

import gc

import pytest
import torch

from hotloop.diagnose.probes.batches import is_single
from hotloop.diagnose.probes.housekeeping import Housekeeping
from hotloop.diagnose.probes.transfers import Copy, Transfers
from hotloop.diagnose.trace_context import StepTime
from hotloop.transform import Plan
from hotloop.worker.process import Settings, Worker
from hotloop.workload import parse_workload

from ..conftest import PROGRAMS, marked

MOMENTS = PROGRAMS / "housekeeping.py"
CODES = ("SY08", "DA08")
STEP = StepTime(seconds=1.0)


def found(diagnosis):
    return {f.line: f.code for f in diagnosis.findings if f.code in CODES}


def test_every_planted_fault_is_found_at_its_line_under_its_rule(diagnosed):
    assert found(diagnosed(MOMENTS)) == marked(MOMENTS, *CODES)


def test_nothing_of_it_is_found_in_the_clean_twin(diagnosed):
    assert found(diagnosed(MOMENTS, "--clean")) == {}


def test_housekeeping_is_told_with_its_count_share_and_bound(diagnosed):
    costs = {f.evidence["call"]: f for f in diagnosed(MOMENTS).findings if f.code == "SY08"}
    assert {f.per_step for f in costs.values()} <= {1.0, 2.0}
    collecting = costs["gc.collect"]
    assert 0 < collecting.share < 1
    assert collecting.amdahl_limit == pytest.approx(1 / (1 - collecting.share))
    assert costs["torch.cuda.empty_cache"].share < 0.01  # nothing to empty here


def test_single_samples_are_told_with_the_wait_that_each_costs(diagnosed):
    (single,) = [f for f in diagnosed(MOMENTS).findings if f.code == "DA08"]
    assert single.share == diagnosed(MOMENTS).phases["data_wait"]["share"] > 0.1
    assert single.amdahl_limit is None  # the size of a batch bounds it, and that is the user's to choose


def test_the_losses_under_these_spies_are_those_of_a_run_without(diagnosed, tmp_path):
    spied = diagnosed(MOMENTS).losses
    workload = parse_workload(MOMENTS.name, folder=MOMENTS.parent)
    with Worker(workload, Plan(), Settings(folder=tmp_path)) as worker:
        worker.open_gate()
        assert list(spied) == worker.turn(len(spied))["losses"]


@pytest.mark.parametrize(
    ("shapes", "seen", "expected"),
    [
        ([(1, 16), (1,)], None, True),
        ([(), ()], None, True),
        ([(3, 8, 8), ()], (1, 3, 8, 8), True),  # the program itself makes a batch of one
        ([(16,), ()], (16,), True),  # no batch dimension at all
        ([(16,), ()], None, False),  # nobody called a model: it may be anything
        ([(32, 16), (32,)], (32, 16), False),
        ([(32,), (32,)], (32,), False),
        ([(32, 16), ()], (32, 16), False),  # a batch, and a number about it
        ([(7, 3), (2, 11)], (7, 3), False),  # a graph: nodes and edges
        ([], (1, 3), False),
    ],
)
def test_a_single_sample_is_told_from_a_batch(shapes, seen, expected):
    assert is_single(shapes, seen) is expected


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
    assert Copy(source=source, target=target, is_pinned=pinned, non_blocking=non_blocking).fault() == fault


@pytest.mark.parametrize(
    "call",
    [
        lambda x: x.to("meta", non_blocking=True),
        lambda x: x.to("meta", torch.float16, True),
        lambda x: torch.empty(4, device="meta").copy_(x, non_blocking=True),
        lambda x: torch.empty(4, device="meta").copy_(x, True),
    ],
)
def test_a_copy_to_a_device_without_pinned_memory_is_seen_at_its_line(scene, call):
    spy = Transfers(scene, accelerators=("meta",))  # a device that every machine has; nothing is copied to it
    spy.open()
    call(torch.ones(4))
    torch.ones(4).to("meta")
    spy.step()
    spy.close()
    (finding,) = spy.report(STEP).findings
    assert (finding.code, finding.path, finding.per_step) == ("SY09", __file__, 1.0)
    assert finding.evidence["fault"] == "unpinned"


def test_every_function_is_back_in_its_place_when_the_window_has_closed(scene):
    before = gc.collect, torch.cuda.synchronize, torch.cuda.memory.empty_cache
    spy = Housekeeping(scene)
    spy.open()
    assert gc.collect is not before[0]
    spy.close()
    assert (gc.collect, torch.cuda.synchronize, torch.cuda.memory.empty_cache) == before


def test_housekeeping_now_and_then_is_no_finding(scene):
    spy = Housekeeping(scene)
    spy.open()
    for step in range(10):
        if step % 2 == 0:
            gc.collect(0)
        spy.step()
    spy.close()
    report = spy.report(STEP)
    assert report.findings == []
    assert report.data["lines"][0][3] == 0.5
