"""The verb of `hotloop guard`: judges head against base, one program at two revisions or under two installations."""

from hotloop.errors import WorkloadError
from hotloop.guard.guard_report import GuardReport
from hotloop.guard.measuring import Found, Measuring
from hotloop.guard.request import Request
from hotloop.guard.trees import Trees
from hotloop.proof.session import Options, Progress, Session, open_session
from hotloop.transform import Plan
from hotloop.trial import Result


def compare_revisions(request: Request, *, options: Options, progress: Progress | None = None) -> GuardReport:
    """The verdict on head: FAIL where any metric is proven worse, INCONCLUSIVE where one could not be told, else PASS.

    A base that cannot run the workload is INCONCLUSIVE; a head that cannot, where the base can, is a FAIL. Raises
    RevisionError for an unknown revision or a folder without git, WorkloadError where head has no such program.
    """
    with request.sides() as trees:
        return compare_sides(request, trees, options=options, progress=progress)


def compare_sides(request: Request, trees: Trees, *, options: Options, progress: Progress | None) -> GuardReport:
    """The verdict on the head of two trees that are there already."""
    head = request.workload_of(trees.head)
    try:
        base = request.workload_of(trees.base)
    except WorkloadError as error:
        with open_session("guard", head, options, progress) as session:
            return _finish(session, trees, Found.nothing(f"the base cannot be run: {error}", request.settings))
    with open_session("guard", base, options, progress) as session:
        for note in trees.notes:
            session.note(note)
        return _finish(session, trees, Measuring(session, trees, (base, head), request.settings).measure())


def _finish(session: Session, trees: Trees, found: Found) -> GuardReport:
    """The report; kept in the history as any other session is."""
    for note in found.timed.notes:
        session.note(note)
    session.note_files_made_outside()
    report = GuardReport(
        verdict=found.verdict,
        message=found.message,
        workload=session.workload.title,
        base=trees.base,
        head=trees.head,
        metrics=found.metrics,
        environment=session.environment,
        step=found.timed.step,
        aa=found.timed.aa,
        base_counts=found.base,
        head_counts=found.head,
        seconds=session.elapsed,
        command=session.options.command,
        notes=tuple(session.notes),
    )
    session.finish(Plan(), _result(session, found, report))
    return report


def _result(session: Session, found: Found, report: GuardReport) -> Result:
    return Result(
        workload=report.workload,
        verdict=report.verdict,
        message=report.message,
        speedup=report.step,
        aa=report.aa,
        clock=session.clock,
        plan=(),
        payback_steps=None,
        payback_seconds=None,
        trials=(),
        environment=report.environment,
        evidence=session.evidence,
        command=report.command,
        verdicts=tuple(metric.as_verdict() for metric in found.metrics),
        step=report.step,
        tuning_seconds=report.seconds,
        notes=report.notes,
    )
