"""Whole comparisons of two revisions: each kind of regression is caught and named, and what cannot be told says why."""

import json

import pytest

from hotloop.errors import RevisionError, WorkloadError
from hotloop.guard.compare_revisions import compare_revisions
from hotloop.guard.limits import GuardSettings
from hotloop.guard.request import Request
from hotloop.proof.session import Options
from hotloop.records.history import open_history
from hotloop.verdict import Outcome

from .conftest import TRAIN, changed

COUNTED = ("graph_breaks", "recompiles", "host_reads", "operators")
CRASHES = "raise ArithmeticError('no data here')\n"
READS = changed("    optimizer.step()", "    optimizer.step()\n    loss.item()")
LEARNS = changed(
    "x, y = torch.randn(512, 32), torch.randn(512, 1)", "x = torch.randn(512, 32)\ny = x.sum(1, keepdim=True)"
)
LARGER = changed("nn.Linear(32, 64), nn.Tanh(), nn.Linear(64, 1)", "nn.Linear(32, 512), nn.Tanh(), nn.Linear(512, 1)")


@pytest.fixture
def compare(repository):
    def run(*metrics, base="HEAD", head=None, budget=60.0, steps=20, seeds=4):
        settings = GuardSettings(metrics=metrics, steps=steps, seeds=seeds)
        request = Request(target="train.py", folder=repository.folder, base=base, head=head, settings=settings)
        return compare_revisions(request, options=Options(budget=budget))

    return run


def verdicts(report):
    return {metric.name: metric.verdict for metric in report.metrics}


def message(report, name):
    return next(metric.message for metric in report.metrics if metric.name == name)


def test_the_document_is_as_promised_and_a_dirty_tree_is_recorded(repository, compare):
    repository.write(train=READS)
    report = compare(*COUNTED)
    data = json.loads(report.to_json())
    assert data.keys() >= {"schema", "verdict", "base", "head", "metrics", "environment"}
    assert data["metrics"][0].keys() == {"name", "base", "head", "ratio", "low", "high", "verdict", "message"}
    assert (data["verdict"], report.worse) == ("FAIL", ["host_reads"])
    assert (data["base"]["dirty"], data["head"]["dirty"]) == (False, True)
    assert "train.py:21: item" in message(report, "host_reads")
    assert repository.trees() == 1
    with open_history() as history:
        (session,) = history.sessions()
        assert (session.kind, session.verdict, session.state) == ("guard", Outcome.FAIL, "finished")


def test_a_base_that_cannot_run_is_inconclusive_and_says_why(repository, compare):
    base = repository.commit("Broken", train=CRASHES)
    repository.commit("Mended", train=TRAIN)
    report = compare(*COUNTED, base=base, head="HEAD")
    assert report.verdict is Outcome.INCONCLUSIVE
    assert "ArithmeticError: no data here" in report.message
    assert set(verdicts(report).values()) == {Outcome.INCONCLUSIVE}


def test_a_base_without_the_script_is_inconclusive_and_says_why(repository, compare):
    repository.git("mv", "train.py", "old.py")
    base = repository.commit("Rename")
    repository.commit("Another script", train=TRAIN)
    report = compare(*COUNTED, base=base, head="HEAD")
    assert report.verdict is Outcome.INCONCLUSIVE
    assert "no such file: train.py" in report.message


def test_a_head_that_does_not_run_is_a_regression(repository, compare):
    repository.write(train=CRASHES)
    report = compare(*COUNTED)
    assert report.verdict is Outcome.FAIL
    assert "the base runs and the head does not" in report.message


def test_a_head_without_the_script_is_refused(repository, compare):
    (repository.folder / "train.py").unlink()
    with pytest.raises(WorkloadError, match=r"no such file: train\.py"):
        compare(*COUNTED)


def test_a_script_outside_of_the_repository_is_refused(repository, tmp_path):
    (tmp_path / "other.py").write_text(TRAIN)
    request = Request(target="../other.py", folder=repository.folder, base="HEAD")
    with pytest.raises(RevisionError, match="is not in the repository"):
        compare_revisions(request, options=Options())


def test_nothing_to_compare_with_is_refused(repository):
    with pytest.raises(RevisionError, match="--base REVISION, or --base-python"):
        compare_revisions(Request(target="train.py", folder=repository.folder), options=Options())


def test_code_of_the_working_tree_in_both_is_noticed(repository, compare):
    (repository.folder / "inner").mkdir()
    (repository.folder / "inner" / "settings_of_mine.py").write_text("x = 1\n")
    place = str(repository.folder / "inner")
    repository.commit("A module by its absolute path", train=f"import sys; sys.path.insert(0, {place!r})\n" + TRAIN)
    repository.write(train=f"import sys; sys.path.insert(0, {place!r})\nimport settings_of_mine\n" + TRAIN)
    report = compare(*COUNTED)
    assert report.verdict is Outcome.INCONCLUSIVE
    assert "settings_of_mine.py was imported from the working tree" in report.message


@pytest.mark.slow
def test_a_worse_loss_is_named(repository, compare):
    repository.commit("What learns", train=LEARNS)
    repository.write(train=changed("lr=0.05", "lr=0.0001", LEARNS))
    report = compare("loss", steps=60)
    assert report.worse == ["loss"]
    assert "worse, proven" in message(report, "loss")


@pytest.mark.slow
def test_more_memory_is_named(repository, compare):
    repository.write(train=changed("optimizer = ", "kept = torch.ones(16, 1024, 1024)\noptimizer = "))
    report = compare("peak_memory")
    assert report.worse == ["peak_memory"]


@pytest.mark.slow
def test_extra_arithmetic_is_named_by_step_time_and_throughput(repository, compare):
    repository.commit("A larger model", train=LARGER)
    extra = "    optimizer.zero_grad()\n    for _ in range(8):\n        model(x)\n"
    repository.write(train=changed("    optimizer.zero_grad()\n", extra, LARGER))
    report = compare("step_time", "throughput")
    assert report.worse == ["step_time", "throughput"]


@pytest.mark.slow
def test_a_longer_compilation_is_named(repository, compare):
    compiled = changed("def compute_loss", "@torch.compile\ndef compute_loss", LARGER)
    repository.commit("Compile", train=compiled)
    deeper = (
        "nn.Linear(32, 512), *(nn.Sequential(nn.Linear(512, 512), nn.Tanh()) for _ in range(40)), nn.Linear(512, 1)"
    )
    repository.write(train=changed("nn.Linear(32, 512), nn.Tanh(), nn.Linear(512, 1)", deeper, compiled))
    assert compare("compile_time", budget=300.0).worse == ["compile_time"]


@pytest.mark.slow
def test_nothing_is_worse_where_nothing_changed(repository, compare):
    report = compare("step_time", "throughput", "peak_memory", "loss", *COUNTED)
    assert report.worse == []
