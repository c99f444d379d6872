import pytest

from ..conftest import PROGRAMS, marked

COSTS = PROGRAMS / "costs.py"


def found(diagnosis, code):
    return [f for f in diagnosis.findings if f.code == code]


@pytest.mark.parametrize("code", ["DA06", "ME04"])
def test_a_fault_is_found_at_its_line(diagnosed, code):
    (line,) = marked(COSTS, code)
    first, *_ = found(diagnosed(COSTS), code)
    assert (first.path, first.line) == (str(COSTS), line)


def test_waiting_for_data_comes_first_and_names_the_transform_that_cures_it(diagnosed):
    first, *_ = found(diagnosed(COSTS), "DA06")
    assert first.transform == "data_loading"
    assert diagnosed(COSTS).phases["data_wait"]["share"] == first.share > 0.4
    assert [f.share or 0.0 for f in diagnosed(COSTS).findings] == sorted(
        (f.share or 0.0 for f in diagnosed(COSTS).findings), reverse=True
    )


def test_the_phases_of_a_step_add_up_to_it(diagnosed):
    diagnosis = diagnosed(COSTS)
    assert sum(phase["share"] for phase in diagnosis.phases.values()) == pytest.approx(1)
    assert sum(phase["ms"] for phase in diagnosis.phases.values()) == pytest.approx(1e3 * diagnosis.step_seconds)
    assert all(diagnosis.phases[name]["ms"] > 0 for name in ("forward", "backward", "optimizer"))
    assert diagnosis.outside["evaluation"]["seconds"] > 0
