"""Bisection: git chooses the commits, verdicts answer, what could not be told is skipped."""

from dataclasses import replace

import pytest

from hotloop.errors import RevisionError
from hotloop.guard.bisect import bisect_revisions, first_bad, oracle_settings
from hotloop.guard.guard_report import GuardReport
from hotloop.guard.limits import GuardSettings
from hotloop.guard.metric import Metric
from hotloop.guard.repository import Repository
from hotloop.guard.request import Request
from hotloop.guard.side import Side
from hotloop.proof.session import Options, Silence
from hotloop.verdict import Outcome

from .conftest import TRAIN, changed

READS = changed("    optimizer.step()", "    optimizer.step()\n    loss.item()")


@pytest.fixture
def commits(repository):
    return [repository.git("rev-parse", "HEAD"), *(repository.commit(f"Change {number}") for number in range(20))]


@pytest.fixture
def bisected(repository, commits):
    def run(oracle):
        asked = []

        def answer(commit):
            asked.append(commit)
            return oracle(commits.index(commit))

        return first_bad(Repository.around(repository.folder), commits[0], commits[-1], answer), asked

    return run


def test_the_planted_commit_is_found_in_few_questions(bisected, commits, repository):
    (found, left), asked = bisected(lambda number: Outcome.FAIL if number >= 13 else Outcome.PASS)
    assert (found, left) == (commits[13], ())
    assert len(asked) <= 6
    assert repository.trees() == 1


def test_what_could_not_be_told_is_skipped(bisected, commits):
    outcomes = {10: Outcome.INCONCLUSIVE, 9: Outcome.INCONCLUSIVE}
    (found, _), asked = bisected(lambda n: outcomes.get(n, Outcome.FAIL if n >= 13 else Outcome.PASS))
    assert found == commits[13]
    assert commits[10] in asked


def test_where_all_between_is_skipped_the_candidates_are_named(bisected, commits):
    (found, left), _ = bisected(lambda _: Outcome.INCONCLUSIVE)
    assert found == ""
    assert set(left) == set(commits[1:])


def test_a_bisection_of_the_users_own_stays_as_it_is(bisected, repository, commits):
    repository.git("bisect", "start", commits[-1], commits[0])
    before = repository.git("bisect", "log")
    bisected(lambda number: Outcome.FAIL if number >= 3 else Outcome.PASS)
    assert repository.git("bisect", "log") == before


@pytest.mark.parametrize(
    ("span", "words"),
    [
        ("HEAD", "GOOD..BAD"),
        ("HEAD...main", "GOOD..BAD"),
        ("HEAD..HEAD~1", "no ancestor"),
        ("nowhere..HEAD", "no revision 'nowhere'"),
    ],
)
def test_what_is_no_range_is_refused(repository, span, words):
    repository.commit("Another")
    request = Request(target="train.py", folder=repository.folder)
    with pytest.raises(RevisionError, match=words):
        bisect_revisions(request, span, options=Options(), progress=Silence())


def test_half_of_the_whole_difference_is_the_limit(cpu_machine, tmp_path):
    metrics = (
        Metric(name="step_time", ratio=1.1, low=1.08, high=1.12, verdict=Outcome.FAIL, message=""),
        Metric(name="loss", ratio=1.0, verdict=Outcome.PASS, message=""),
        Metric(name="host_reads", ratio=2.0, verdict=Outcome.FAIL, message=""),
    )
    side = Side(tree=tmp_path)
    whole = GuardReport(
        verdict=Outcome.FAIL,
        message="",
        workload="train.py",
        base=side,
        head=side,
        metrics=metrics,
        environment=cpu_machine,
    )
    found = oracle_settings(GuardSettings(), whole)
    assert found.metrics == ("step_time", "host_reads")
    assert found.limits["step_time"].relative == found.limits["step_time"].resolution == pytest.approx(0.05)
    assert found.limits["host_reads"] == GuardSettings().limits["host_reads"]
    assert replace(whole, metrics=()).worse == []


@pytest.mark.slow
def test_an_added_read_is_found_among_commits(repository):
    good = repository.git("rev-parse", "HEAD")
    for number in range(3):
        repository.commit(f"Comment {number}", train=f"# {number}\n" + TRAIN)
    planted = repository.commit("Read the loss", train=READS)
    repository.commit("Comment on it", train="# a comment\n" + READS)
    settings = GuardSettings(metrics=("host_reads",), steps=10)
    request = Request(target="train.py", folder=repository.folder, settings=settings)
    found = bisect_revisions(request, f"{good}..HEAD", options=Options(), progress=Silence())
    assert found.verdict is Outcome.FAIL
    assert found.first_bad == planted
    assert "Read the loss" in found.message
