import pytest

from hotloop.diagnose.phase_times import PhaseTimes
from hotloop.diagnose.probes.modules import ModuleProbe

from ..conftest import PROGRAMS, probe_steps

COSTS = PROGRAMS / "costs.py"
STEP = PhaseTimes(ordinary={"forward": 0.4, "backward": 0.4, "optimizer": 0.2})


def test_modules_share_forward_and_backward_between_them(context, training):
    probe = ModuleProbe(context)
    probe_steps(probe, training[1], steps=2)
    rows = {row["name"]: row for row in probe.report(STEP).data}
    assert sum(row["self_share"] for row in rows.values()) == pytest.approx(0.8)
    assert rows["Blocks"]["share"] == pytest.approx(0.8)
    assert rows["Blocks.large"]["share"] > rows["Blocks.small"]["share"] > 0
    assert rows["Blocks.large.0"]["calls"] == 1


def test_the_wide_module_takes_more_of_the_step_than_the_narrow_one(diagnosed):
    shares = {row["name"]: row["share"] for row in diagnosed(COSTS).modules}
    assert shares["Net.wide"] > shares["Net.narrow"] > 0
    assert shares["Net"] >= shares["Net.wide"] + shares["Net.narrow"]


def test_co05_a_dominant_model_is_told_with_the_layers_that_its_time_goes_to(context, training):
    probe = ModuleProbe(context)
    probe_steps(probe, training[1], steps=2)
    (found,) = [finding for finding in probe.report(STEP).findings if finding.code == "CO05"]
    assert (found.transform, found.share) == ("compile", pytest.approx(0.8))
    assert "forward and backward of Blocks take 80% of a step: Linear" in found.message


def test_co05_a_model_that_costs_next_to_nothing_is_not_told(context, training):
    probe = ModuleProbe(context)
    probe_steps(probe, training[1], steps=2)
    trivial = PhaseTimes(ordinary={"forward": 0.004, "backward": 0.004, "optimizer": 0.992})
    assert not probe.report(trivial).findings
