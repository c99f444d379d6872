import pytest

from hotloop.history.series import read_series
from hotloop.records.history import SessionRow


def test_sessions_of_one_machine_and_workload_make_a_series_in_time(history, add):
    for day, step in ((3, 0.03), (1, 0.01), (2, 0.02)):
        add(day, step)
    (series,) = read_series(history, history.sessions(), metric="step_time")
    assert series.values == pytest.approx((0.01, 0.02, 0.03))
    assert series.workload == "bench.toml: nets:mlp, batch 4, float32, nothing"
    assert [point.revision for point in series.points] == ["c1", "c2", "c3"]


def test_machines_are_kept_apart(history, add):
    add(1, 0.01)
    add(2, 0.02, cpu="Other 1")
    assert [s.machine for s in read_series(history, history.sessions(), metric="step_time")] == [
        "Example 9000, 2 cores",
        "Other 1, 2 cores",
    ]


def test_a_bench_has_step_time_throughput_and_memory(history, add):
    add(1, 0.01)
    assert [s.metric for s in read_series(history, history.sessions())] == ["peak_memory", "step_time", "throughput"]


def test_a_session_that_never_finished_is_left_out(history, cpu_machine):
    history.start(kind="tune", workload="train.py", command="", environment=cpu_machine)
    rows: list[SessionRow] = history.sessions()
    assert read_series(history, rows) == []
