import math
import sys

import pytest

from hotloop import registry
from hotloop.errors import RegistryError
from hotloop.records.tracking import TrackedRun, check_trackers, run_of_benchmark, run_of_result, track

RUN = TrackedRun(name="train.py", verb="tune", facts={"verdict": "PASS"}, figures={"speedup": 1.5})


@pytest.mark.parametrize(
    ("name", "package"), [("wandb", "wandb"), ("mlflow", "mlflow"), ("tensorboard", "tensorboard")]
)
def test_a_tracker_that_is_not_installed_is_a_note_that_names_the_extra(monkeypatch, name, package):
    monkeypatch.setitem(sys.modules, package, None)
    (note,) = track([name], RUN)
    assert note.startswith(f"tracker {name} took nothing: TrackerError: it needs {package}")
    assert "pip install 'hotloop[track]'" in note


def test_whatever_a_tracker_raises_is_a_note_and_the_next_one_is_told(monkeypatch):
    told = []

    class Breaks:
        name = "breaks"

        def write(self, run):
            raise ZeroDivisionError("no network")

    class Keeps:
        name = "keeps"

        def write(self, run):
            told.append(run)
            return ""

    monkeypatch.setattr(registry, "load", lambda _, name: {"breaks": Breaks, "keeps": Keeps}[name])
    assert track(["breaks", "keeps"], RUN) == ["tracker breaks took nothing: ZeroDivisionError: no network"]
    assert told == [RUN]


def test_an_unknown_tracker_is_refused_before_anything_is_measured():
    with pytest.raises(RegistryError, match="no tracker is named 'paper'; known are: mlflow, tensorboard, wandb"):
        check_trackers(["wandb", "paper"])


def test_a_result_tells_its_verdict_and_its_figures(result):
    run = run_of_result(result, verb="tune")
    assert run.facts["verdict"] == result.verdict.value
    assert run.figures["speedup"] == result.speedup.ratio
    assert all(map(math.isfinite, run.figures.values()))


def test_a_benchmark_tells_the_figures_of_each_row_that_were_measured():
    row = {"model": "nets:mlp", "batch": 4, "dtype": "float32", "plan": "nothing", "step_ms": 2.0, "forward_ms": None}
    row |= {"backward_ms": None, "throughput": 2000.0, "peak_memory_bytes": 1, "load_ms": 3.0, "compile_s": 0.0}
    document = {"title": "bench.toml", "rows": [row], "environment": {"torch": "2", "cpu": "x", "git_revision": ""}}
    run = run_of_benchmark(document)
    assert run.figures["nets_mlp/batch 4/float32/nothing/step_ms"] == 2.0
    assert not [name for name in run.figures if name.endswith("forward_ms")]
