import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from hotloop.bench.benchmark import Benchmark, BenchRow
from hotloop.bench.figure import Figure
from hotloop.bench.keep import keep
from hotloop.records.database import connect
from hotloop.records.history import History


@pytest.fixture
def benchmark(cpu_machine):
    step = Figure(samples=((0.01,) * 12,) * 3)
    row = BenchRow(model="nets:mlp", batch=4, dtype="float32", plan="nothing", step=step, peak_memory=2**20)
    return Benchmark(
        title="bench.toml",
        command="hotloop bench bench.toml",
        rows=(row,),
        environment=cpu_machine,
        replicates=3,
        steps=12,
        warmup=3,
        clock="wall time",
    )


def test_a_benchmark_is_a_session_of_the_history(benchmark, tmp_path):
    with History(connect(f"sqlite:///{tmp_path / 'history.db'}")) as history:
        assert keep(benchmark, history) == benchmark
        (row,) = history.sessions()
        assert (row.kind, row.workload, row.state) == ("bench", "bench.toml", "finished")
        assert history.document(row.id)["rows"][0]["step_ms"] == pytest.approx(10.0)


def test_a_database_that_goes_away_costs_no_figure_and_is_told(benchmark, tmp_path):
    engine = connect(f"sqlite:///{tmp_path / 'history.db'}")

    @event.listens_for(engine, "before_cursor_execute")
    def gone(_connection, _cursor, statement, *_):
        if statement.startswith("UPDATE"):
            raise OperationalError(statement, {}, Exception("server closed the connection unexpectedly"))

    with History(engine) as history:
        found = keep(benchmark, history)
    assert found.rows == benchmark.rows
    (note,) = found.notes
    assert note.startswith("this benchmark is not in the history: cannot write history")
    assert "server closed the connection unexpectedly" in note
