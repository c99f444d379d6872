import torch
from torch import nn

from hotloop.diagnose.phase_times import PhaseTimes
from hotloop.diagnose.probes.operators import OperatorProbe

from ..conftest import PROGRAMS, marked, probe_steps

COSTS = PROGRAMS / "costs.py"


def report(context, step, *, seconds=1.0, steps=2):
    probe = OperatorProbe(context)
    probe_steps(probe, step, steps=steps)
    return probe.report(PhaseTimes(ordinary={"other": seconds}))


def test_operators_are_counted_and_many_small_ones_are_a_finding(context):
    values = torch.ones(8)

    def step():
        return [values.mul(2.0) for _ in range(300)]

    found = report(context, step)
    assert found.data["per_step"] == 300
    assert [f for f in found.findings if f.code == "CO06"] == []  # 300 calls are next to nothing of a second
    (finding,) = report(context, step, seconds=1e-4, steps=1).findings
    assert (finding.code, finding.transform, finding.per_step) == ("CO06", "compile", 300)


def test_the_same_products_stacked_are_one_operator_and_no_finding(context):
    """CO06: the loop above is told, its stacked form is not."""
    values, factors = torch.ones(8), torch.full((300, 1), 2.0)
    found = report(context, lambda: values.mul(factors), seconds=1e-4, steps=1)
    assert (found.data["per_step"], found.findings) == (1, [])


def test_a_list_that_is_concatenated_once_is_no_growing_tensor(context):
    pieces = [torch.ones(4) for _ in range(10)]
    assert report(context, lambda: torch.cat(pieces)).findings == []


def test_casts_of_one_weight_twice_a_step_are_told(context):
    weight = nn.Parameter(torch.ones(512, 512))

    def step():
        for _ in range(2):
            weight.to(torch.bfloat16)

    (finding,) = report(context, step, seconds=1e-4, steps=3).findings
    assert finding.code == "OP08"


def test_a_tensor_that_grows_is_found_at_its_line(diagnosed):
    (line,) = marked(COSTS, "DA11")
    first, *_ = [f for f in diagnosed(COSTS).findings if f.code == "DA11"]
    assert (first.path, first.line) == (str(COSTS), line)
