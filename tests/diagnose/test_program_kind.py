"""The kind of a program, from shares that were measured; and of eight programs that are built to be of one kind."""

import pytest

from hotloop.diagnose.phase_times import PhaseTimes
from hotloop.diagnose.program_kind import program_kind

from .conftest import PROGRAMS

LOADING = {
    "stages": [
        {"path": "train.py", "line": 7, "callee": "imread", "share": 0.4},
        {"path": "train.py", "line": 9, "callee": "randn", "share": 0.2},
        {"path": "", "line": 0, "callee": "collate", "share": 0.1},
        {"path": "train.py", "line": 8, "callee": "area", "share": 0.05},
    ],
    "workers": {"processes": 0},
}


def kind(*, waiting=0.0, compute=0.0, memory=0.0, **seen):
    times = PhaseTimes(steps=3, ordinary={"data_wait": waiting, "forward": 1.0 - waiting})
    operators = {"compute_share": compute, "memory_share": memory, "per_step": 12, "compiled": False}
    return program_kind(times, {"operators": operators, **seen})


@pytest.mark.parametrize(
    ("shares", "name", "share"),
    [
        ({"waiting": 0.6, "compute": 0.4}, "data-bound", 0.6),
        ({"waiting": 0.4, "compute": 0.3, "memory": 0.2}, "data-bound", 0.4),
        ({"waiting": 0.1, "compute": 0.7, "memory": 0.1}, "compute-bound", 0.7),
        ({"waiting": 0.1, "compute": 0.1, "memory": 0.6}, "memory-bound", 0.6),
        ({"waiting": 0.1, "compute": 0.1, "memory": 0.2}, "overhead-bound", 0.6),
        ({"compute": 1.2, "memory": 0.4}, "compute-bound", 0.75),  # probes slow operators down: shares are of the step
    ],
)
def test_a_program_is_bound_by_what_takes_most_of_a_step(shares, name, share):
    found = kind(**shares)
    assert (found["kind"], found["share"]) == (name, pytest.approx(share))
    assert found["message"].startswith(f"{name}: {share:.0%} of a step")
    assert sum(found["shares"].values()) <= 1 + 1e-9


def test_a_data_bound_program_is_told_where_inside():
    found = kind(waiting=0.75, loading=LOADING)
    assert found["inside"] == pytest.approx(
        {"decoding": 0.4, "augmentation": 0.2, "collating": 0.1, "computing samples": 0.05}
    )
    assert "waits for data (decoding 40%, augmentation 20%, collating 10%" in found["message"]
    assert found["message"].endswith("most at line 7)")


def test_what_workers_do_not_account_for_is_queueing():
    found = kind(waiting=0.9, loading={**LOADING, "workers": {"processes": 2}})
    assert found["inside"]["queueing"] == pytest.approx(0.15)


def test_starting_loaders_between_steps_counts_as_data():
    times = PhaseTimes(steps=3, ordinary={"forward": 1.0}, all={"forward": 1.0, "loader_start": 3.0})
    found = program_kind(times, {})
    assert (found["kind"], found["inside"]) == ("data-bound", {"starting workers": 0.75})


def test_on_a_gpu_what_no_kernel_runs_in_is_overhead():
    found = kind(compute=0.1, memory=0.1, trace={"kernel_share": 0.2})
    assert (found["kind"], found["share"]) == ("overhead-bound", pytest.approx(0.8))


@pytest.mark.parametrize("seen", [{"operators": None}, {"operators": {"compiled": True}}])
def test_where_operators_were_not_seen_only_loading_is_judged(seen):
    found = kind(waiting=0.3, **seen)
    assert found["kind"] is None
    assert found["message"].startswith("not data-bound, which is all that can be said: 30%")
    assert kind(waiting=0.6, **seen)["kind"] == "data-bound"


def test_without_timed_steps_there_is_no_kind():
    assert program_kind(PhaseTimes(), {}) == {}


BUILT = {
    "storage": "data-bound",
    "small": "overhead-bound",
    "elementwise": "memory-bound",
    "products": "compute-bound",
    "decoding": "data-bound",
    "python": "overhead-bound",
    "embedding": "memory-bound",
    "convolutions": "compute-bound",
}


@pytest.mark.parametrize(
    "name",
    [name if name in ("storage", "elementwise") else pytest.param(name, marks=pytest.mark.slow) for name in BUILT],
)
def test_a_program_that_is_built_to_be_of_one_kind_is_found_to_be_so(diagnosed, name):
    found = diagnosed(PROGRAMS / "kinds.py", name).kind
    assert found["kind"] == BUILT[name], found
    assert name not in ("storage", "decoding") or next(iter(found["inside"])) == name
