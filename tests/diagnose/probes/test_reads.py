import pytest
import torch

from hotloop.diagnose.phase_times import PhaseTimes
from hotloop.diagnose.probes.reads import HostReadProbe
from hotloop.transform import Plan
from hotloop.worker.process import Settings, Worker
from hotloop.workload import parse_workload

from ..conftest import SCRIPTS, marked, probe_steps

RULES = ("SY01", "SY02", "SY03", "SY04", "SY05", "SY06", "SY07")
PLANTED = SCRIPTS / "host_reads.py"


def reads(diagnosis):
    return {f.line: f.code for f in diagnosis.findings if f.code.startswith("SY")}


def test_every_planted_read_is_found_at_its_line_under_its_rule(diagnosed):
    planted = marked(PLANTED, *RULES)
    assert len(planted) >= 11
    assert reads(diagnosed(PLANTED)) == planted


def test_every_finding_names_the_user_s_own_file_and_counts_each_step(diagnosed):
    found = [f for f in diagnosed(PLANTED).findings if f.code.startswith("SY")]
    assert {f.path for f in found} == {str(PLANTED)}
    assert {f.per_step for f in found} == {1.0, 4.0}  # four parameters, so four norms; one of all else
    assert all(0 < f.share < 1 and f.amdahl_limit == pytest.approx(1 / (1 - f.share)) for f in found)


def test_nothing_is_found_in_the_clean_twin(diagnosed):
    assert reads(diagnosed(PLANTED, "--clean")) == {}


def test_the_steps_under_probes_are_bit_identical_to_those_of_a_run_without(diagnosed, tmp_path):
    probed = diagnosed(PLANTED).losses
    workload = parse_workload(PLANTED.name, folder=PLANTED.parent)
    with Worker(workload, Plan(), Settings(folder=tmp_path)) as worker:
        worker.wait_at_barrier()
        plain = list(worker.turn(len(probed)).losses)
    assert len(probed) > 40
    assert list(probed) == plain


@pytest.fixture
def read_in_a_step(context):
    """Kinds of reads in one step that calls a function, by what the findings say."""

    def kinds(call):
        probe = HostReadProbe(context)
        probe_steps(probe, call)
        return [f.evidence["kinds"] for f in probe.report(PhaseTimes(ordinary={"other": 1.0})).findings]

    return kinds


def test_a_copy_to_the_host_that_is_looked_at_as_an_array_is_one_read(read_in_a_step):
    assert read_in_a_step(lambda: torch.ones(2).cpu().numpy()) == ["cpu"]


def test_reads_in_a_hook_that_backward_calls_are_seen(read_in_a_step):
    weight = torch.ones(2, requires_grad=True)
    weight.register_hook(lambda gradient: gradient.tolist() and None)
    assert read_in_a_step(lambda: (2 * weight).sum().backward()) == ["tolist"]


def test_a_mask_that_one_number_is_written_through_is_no_read(read_in_a_step):
    values = torch.randn(8)
    assert read_in_a_step(lambda: values.__setitem__(values > 0, 0.0)) == []


def test_what_a_loader_reads_while_it_fetches_is_no_read(read_in_a_step, context):
    def fetch():
        context.fetch_depth += 1
        torch.ones(1).item()
        context.fetch_depth -= 1

    assert read_in_a_step(fetch) == []


def test_the_optimizer_s_own_step_counters_are_no_reads(read_in_a_step):
    weight = torch.ones(2, requires_grad=True)
    weight.grad = torch.ones(2)
    assert read_in_a_step(torch.optim.Adam([weight], foreach=False).step) == []


def test_moving_to_a_device_that_happens_to_be_the_host_is_no_read(read_in_a_step):
    device = "cpu"
    assert read_in_a_step(lambda: torch.ones(2).to(device)) == []


def test_timing_the_reads_again_leaves_the_random_numbers_alone(context):
    torch.manual_seed(0)
    expected = torch.rand(1), torch.rand(1)
    torch.manual_seed(0)

    def step():
        first = torch.rand(1)
        torch.nn.functional.dropout(first.expand(4), 0.5).tolist()
        torch.manual_seed(0)
        torch.rand(1)

    probe_steps(HostReadProbe(context), step)
    assert torch.equal(torch.rand(1), expected[1])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_nothing_is_read_in_the_clean_twin_on_a_gpu(diagnosed):
    diagnosis = diagnosed(PLANTED, "--clean", "--device", "cuda")
    assert reads(diagnosis) == {}
    assert diagnosis.seen["trace"]["host_to_device_share"] > 0
