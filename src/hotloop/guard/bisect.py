"""The commit that made it worse: `git bisect` with the verdict of a comparison in lockstep as its oracle."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hotloop.errors import RevisionError
from hotloop.guard.compare_revisions import compare_revisions
from hotloop.guard.guard_report import GuardReport
from hotloop.guard.limits import GuardSettings, Limit
from hotloop.guard.repository import Repository
from hotloop.guard.request import Request
from hotloop.guard.trees import one_tree
from hotloop.measurement import Environment
from hotloop.proof.session import Options, Progress
from hotloop.records.documents import to_data
from hotloop.verdict import Outcome

_FOUND = re.compile(r"^([0-9a-f]{7,64}) is the first bad commit", re.MULTILINE)
_SKIPPED = "first bad commit could be any of"
_TERMS = {Outcome.PASS: "good", Outcome.FAIL: "bad", Outcome.INCONCLUSIVE: "skip"}
Oracle = Callable[[str], Outcome]


@dataclass(frozen=True, kw_only=True)
class TestedCommit:
    """A commit that was compared with the good one; INCONCLUSIVE was skipped."""

    commit: str
    subject: str
    verdict: Outcome
    message: str


@dataclass(frozen=True, kw_only=True)
class Bisection:
    """The first bad commit, or why it is not known; `candidates` are those left where commits had to be skipped.

    FAIL where it was found, PASS where the last commit is not worse than the first, INCONCLUSIVE else.
    """

    verdict: Outcome
    message: str
    workload: str
    good: str
    bad: str
    first_bad: str
    tested: tuple[TestedCommit, ...]
    environment: Environment
    candidates: tuple[str, ...] = ()

    def to_json(self) -> str:
        """The JSON document: indented, no NaN."""
        data: dict[str, Any] = {"schema": 1, **to_data(self)}
        return json.dumps(data, indent=2, allow_nan=False) + "\n"

    def text(self) -> str:
        """The same for people."""
        rows = [f"{one.verdict:12}  {one.commit[:12]}  {one.subject}: {one.message}" for one in self.tested]
        return "\n".join([f"{self.workload}: {self.good} -> {self.bad}", *rows, f"{self.verdict}: {self.message}"])


def bisect_revisions(request: Request, span: str, *, options: Options, progress: Progress) -> Bisection:
    """The commit of GOOD..BAD that made worse what BAD is worse in. Raises RevisionError for what is no such range."""
    good, dots, bad = span.partition("..")
    if not dots or not good or not bad or bad.startswith("."):
        raise RevisionError(f"got {span!r}; give two revisions as GOOD..BAD")
    repository = Repository.around(request.folder)
    first, last = repository.commit(good), repository.commit(bad)
    if repository.git("merge-base", first, last).strip() != first:
        raise RevisionError(f"{good} is no ancestor of {bad}; a bisection needs one: swap them, or name another")
    progress.say(f"comparing {bad} with {good}")
    whole = compare_revisions(replace(request, base=first, head=last), options=options, progress=progress)
    tested = [_tested(repository, last, whole)]
    outcome, message, found, candidates = whole.verdict, whole.message, "", tuple[str, ...]()
    if outcome is Outcome.FAIL:
        settings = oracle_settings(request.settings, whole)
        worse = replace(request, base=first, settings=settings)

        def oracle(commit: str) -> Outcome:
            progress.say(f"bisecting: {repository.git('log', '-1', '--format=%h %s', commit).strip()}")
            report = compare_revisions(replace(worse, head=commit), options=options, progress=progress)
            one = _tested(repository, commit, report)
            if (
                whole.worse and not report.worse and one.verdict is Outcome.FAIL
            ):  # it does not run, which is another fault
                one = replace(one, verdict=Outcome.INCONCLUSIVE)
            tested.append(one)
            return one.verdict

        found, candidates = first_bad(repository, first, last, oracle)
        outcome = Outcome.FAIL if found else Outcome.INCONCLUSIVE
        message = _sentence(repository, found, candidates, whole)
    return Bisection(
        verdict=outcome,
        message=message,
        workload=whole.workload,
        good=good,
        bad=bad,
        first_bad=found,
        tested=tuple(tested),
        environment=whole.environment,
        candidates=candidates,
    )


def oracle_settings(settings: GuardSettings, whole: GuardReport) -> GuardSettings:
    """Settings by which a commit is bad where it shows more than half of what BAD shows, in any metric of that.

    Metrics that are no worse in the end are left out.
    """
    limits = dict(settings.limits)
    for metric in whole.metrics:
        limit = limits.get(metric.name, Limit(relative=0.0))
        if metric.ratio is not None and metric.verdict is Outcome.FAIL and limit.resolution:
            half = max(abs(metric.ratio - 1) / 2, 1e-3)
            limits[metric.name] = replace(limit, relative=half, resolution=half, absolute=0.0)
    return replace(settings, limits=limits, metrics=tuple(whole.worse) or settings.metrics)


def first_bad(repository: Repository, good: str, bad: str, oracle: Oracle) -> tuple[str, tuple[str, ...]]:
    """The first bad commit, or "" and the commits that it may be where too many could not be told.

    git bisects in a work tree of its own, so that one of the user's that is under way stays as it is.
    """
    with one_tree(repository, bad) as tree:
        said = repository.bisect("start", "--no-checkout", bad, good, tree=tree)
        while not (found := _FOUND.search(said)):
            if _SKIPPED in said:
                return "", tuple(re.findall(r"^[0-9a-f]{40}$", said, re.MULTILINE))
            commit = repository.git("rev-parse", "BISECT_HEAD", folder=tree).strip()
            said = repository.bisect(_TERMS[oracle(commit)], commit, tree=tree)
        return found[1], ()


def _tested(repository: Repository, commit: str, report: GuardReport) -> TestedCommit:
    subject = repository.git("log", "-1", "--format=%s", commit).strip()
    return TestedCommit(commit=commit, subject=subject, verdict=report.verdict, message=report.message)


def _sentence(repository: Repository, found: str, candidates: Sequence[str], whole: GuardReport) -> str:
    if not found:
        return (
            f"{whole.message}, since one of {len(candidates)} commits; those between could not be told: measure longer"
        )
    said = repository.git("log", "-1", "--format=%h (%an, %as): %s", found).strip()
    return f"{whole.message}, since {said}"
