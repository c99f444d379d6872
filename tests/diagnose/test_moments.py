"""Housekeeping, single samples and gradients looked at too early: one program that has them all, and its clean twin."""

import gc

import pytest
import torch
from torch import nn

from hotloop.diagnose.batches import is_single
from hotloop.diagnose.gradient_order import GradientOrder
from hotloop.diagnose.housekeeping import Housekeeping
from hotloop.diagnose.phases import Phases
from hotloop.diagnose.scene import StepTime
from hotloop.diagnose.transfers import Copy, Transfers
from hotloop.transform import Plan
from hotloop.worker.process import Settings, Worker
from hotloop.workload import parse_workload

from .conftest import PROGRAMS, marked

MOMENTS = PROGRAMS / "moments.py"
CODES = ("SY08", "DA08", "OP04")
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


class Training:
    """Three steps with a scaler, and a place between each two of its calls."""

    def __init__(self, scene, **options):
        self.scene = scene
        self.model = nn.Linear(4, 1)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-3)
        self.scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, **options)

    def clip(self, limit):
        return lambda: nn.utils.clip_grad_norm_(self.model.parameters(), limit)

    def norm(self):
        return [p.grad.detach().norm() for p in self.model.parameters()]

    def unscale(self):
        self.scaler.unscale_(self.optimizer)

    def step(self, *between):
        self.optimizer.zero_grad()
        self.scaler.scale((self.model(torch.ones(2, 4)) - 9).square().mean()).backward()
        for call in between:
            call()
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def told(self, *between):
        """What is said of three steps with these calls between backward and update."""
        with Phases(self.scene).installed():
            self.step()
            spy = GradientOrder(self.scene)
            spy.open()
            for _ in range(3):
                self.step(*between)
                spy.step()
            spy.close()
        return [f.message.partition(" here ")[2].split(",")[0] for f in spy.report(STEP).findings]


@pytest.fixture
def training(scene):
    return Training(scene)


SCALED = "of gradients that GradScaler has scaled up and not yet unscaled"
CLIPPED = "of gradients that were clipped just before"
BOTH = "while GradScaler's scale is still on them"


def test_a_norm_before_unscaling_is_told(training):
    assert training.told(training.norm, training.unscale) == [SCALED]


def test_a_norm_after_unscaling_and_before_clipping_is_not(training):
    assert training.told(training.unscale, training.norm, training.clip(1e-3)) == []


def test_a_norm_after_clipping_is_told_where_the_limit_bites(training):
    assert training.told(training.unscale, training.clip(1e-3), training.norm) == [CLIPPED]
    assert training.told(training.unscale, training.clip(float("inf")), training.norm) == []


def test_a_norm_after_clipping_by_value_is_told(training):
    def clip():
        nn.utils.clip_grad_value_(training.model.parameters(), 1e-3)

    assert training.told(training.unscale, clip, training.norm) == [CLIPPED]


def test_clipping_of_scaled_gradients_is_told_unless_the_limit_is_scaled_too(training):
    assert training.told(training.clip(1e-3)) == [BOTH]
    assert training.told(training.clip(20 * 1024.0)) == []


def test_clipping_by_a_limit_that_the_program_scales_itself_is_not_told(training):
    def clip():
        nn.utils.clip_grad_norm_(training.model.parameters(), 1e-3 * training.scaler.get_scale())

    assert training.told(clip) == []


def test_a_norm_that_the_program_divides_by_the_scale_itself_is_not_told(training):
    assert training.told(lambda: [n / training.scaler.get_scale() for n in training.norm()]) == []


def test_a_norm_that_gradients_are_then_divided_by_is_not_told(training):
    def normalize():
        for p in training.model.parameters():
            p.grad /= p.grad.norm()

    assert training.told(training.unscale, training.clip(1e-3), normalize) == []
    assert training.told(normalize) == []


def test_a_scaler_that_is_switched_off_scales_nothing(scene):
    training = Training(scene, enabled=False)
    assert training.told(training.norm) == []
