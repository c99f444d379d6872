import json

import pytest

from hotloop.bench.asked import Asked
from hotloop.bench.measure import outcome, run_benchmark
from hotloop.bench.rows import rows_of_matrix, rows_of_workload
from hotloop.errors import WorkloadCrashed
from hotloop.verdict import Outcome
from hotloop.workload import parse_workload

BROKEN = '\n[[model]]\nmodel = "nets:broken"\ninputs = [{ shape = [8] }]\n'
KEYS = {
    "model",
    "batch",
    "dtype",
    "plan",
    "forward_ms",
    "backward_ms",
    "step_ms",
    "throughput",
    "peak_memory_bytes",
    "mean_memory_bytes",
    "load_ms",
    "compile_s",
    "low",
    "high",
}


@pytest.fixture
def with_a_broken_model(folder):
    path = folder / "bench.toml"
    path.write_text(path.read_text() + BROKEN)
    return path


def test_a_matrix_is_measured_and_the_slowest_traced(folder, with_a_broken_model):
    found = run_benchmark(rows_of_matrix(with_a_broken_model), profile_into=folder / "out")
    document = json.loads(found.to_json())
    good, bad = document["rows"]
    assert set(good) >= KEYS
    assert (good["model"], good["batch"], good["dtype"], good["plan"]) == ("nets:mlp", 4, "float32", "nothing")
    assert all(good[name] > 0 for name in ("forward_ms", "backward_ms", "step_ms", "throughput", "load_ms"))
    assert good["peak_memory_bytes"] > 2**20
    assert good["convergence"]["last_loss"] < good["convergence"]["first_loss"]
    assert len(good["samples"]["step"][0]) >= 5
    assert good["low"] is None  # one replicate bounds nothing
    assert "no such weights" in bad["failure"]
    assert bad["step_ms"] is None
    assert document["slowest"] == 0
    assert outcome(found) is Outcome.INCONCLUSIVE
    assert json.loads((folder / "out" / "trace.json").read_text())["traceEvents"]
    assert any(operator["name"] == "aten::addmm" for operator in document["profile"]["operators"])


def test_a_plan_that_does_not_apply_is_a_failure_of_its_row(folder):
    (folder / "channels.toml").write_text('[[transform]]\nname = "channels_last"\n')
    text = (folder / "bench.toml").read_text()
    (folder / "bench.toml").write_text(f'plans = ["nothing", "channels.toml"]\n{text}')
    found = run_benchmark(rows_of_matrix(folder / "bench.toml"))
    assert not found.rows[0].failure
    assert found.rows[1].failure.startswith("does not apply here: channels_last")


def test_where_no_row_can_be_measured_the_failure_is_raised(folder):
    (folder / "bench.toml").write_text(f"replicates = 1\n{BROKEN}")
    with pytest.raises(WorkloadCrashed, match="no such weights"):
        run_benchmark(rows_of_matrix(folder / "bench.toml"))


def test_a_script_has_steps_and_memory_and_no_parts(program):
    rows = rows_of_workload(program("mlp"), [], asked=Asked(steps=5, converge=0), replicates=1, target=None)
    (row,) = run_benchmark(rows).rows
    assert row.step.num_samples >= 5
    assert (row.forward, row.backward, row.throughput) == (None, None, None)
    assert row.load_seconds > 0


@pytest.mark.slow
def test_a_recipe_under_compile_has_a_compile_time_and_the_size_of_its_batch(folder):
    (folder / "compile.toml").write_text('[[transform]]\nname = "compile"\n')
    rows = rows_of_workload(
        parse_workload("convnet"), [folder / "compile.toml"], asked=Asked(steps=5), replicates=2, target=1.0
    )
    plain, compiled = run_benchmark(rows).rows
    assert plain.compile_seconds == 0.0
    assert compiled.compile_seconds > 0.5
    assert plain.batch == compiled.batch == 16
    assert plain.forward is not None
