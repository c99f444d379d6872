"""What is found in programs with planted faults, each run once in a process of its own."""

import pytest

from ..conftest import PROGRAMS, marked

COSTS = PROGRAMS / "costs.py"
COMPILES = PROGRAMS / "compiles.py"


def found(diagnosis, code):
    return [f for f in diagnosis.findings if f.code == code]


@pytest.mark.parametrize("code", ["DA03", "DA05", "DA06", "DA11", "DA12", "ME04"])
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


def test_the_wide_module_takes_more_of_the_step_than_the_narrow_one(diagnosed):
    shares = {row["name"]: row["share"] for row in diagnosed(COSTS).modules}
    assert shares["Net.wide"] > shares["Net.narrow"] > 0
    assert shares["Net"] >= shares["Net.wide"] + shares["Net.narrow"]


def test_a_cache_smaller_than_the_data_set_is_told_with_its_hit_rate(diagnosed):
    assert diagnosed(COSTS).seen["loading"]["hit_rates"]["label"] < 0.5


def test_a_graph_break_is_told_with_reason_and_line(diagnosed):
    (line,) = marked(COMPILES, "break")
    assert line in [f.line for f in found(diagnosed(COMPILES), "CO07")]


def test_recompiles_after_the_warmup_are_told_with_the_guard_that_failed(diagnosed):
    late = [f for f in found(diagnosed(COMPILES), "CO07") if "recompiles" in f.message]
    assert len(late) == 1
    assert "mismatch" in late[0].message
    assert late[0].share > 0


def test_a_module_that_was_compiled_and_is_used_by_another_method_is_told(diagnosed):
    (line,) = marked(COMPILES, "never called")
    assert [(f.path, f.line) for f in found(diagnosed(COMPILES), "CO04") + found(diagnosed(COMPILES), "CO03")] == [
        (str(COMPILES), line)
    ]
