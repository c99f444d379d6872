"""A short diagnosis before the search: the Amdahl limit of each change, and the kind of program."""

from hotloop.diagnose.diagnosis import Diagnosis
from hotloop.diagnose.trace import TraceOptions, trace_with
from hotloop.errors import HotloopError
from hotloop.proof.amdahl import AmdahlLimits
from hotloop.proof.session import Session

_STEPS = 30
_MOST_SECONDS = 8.0
_SHARE_OF_THE_BUDGET = 0.04
_TOLD = 3


def diagnose_first(session: Session) -> AmdahlLimits:
    """Limits from a run under the session's own settings; none, and a note that says why, where it failed."""
    seconds = min(_MOST_SECONDS, max(1.0, _SHARE_OF_THE_BUDGET * session.options.budget))
    session.progress.say("looking where the time goes")
    try:
        diagnosis = trace_with(
            session.workload, TraceOptions(steps=_STEPS, budget=seconds), session.settings, session.environment
        )
    except HotloopError as error:
        reason = str(error).splitlines()[0]
        session.note(f"the diagnosis failed ({reason}): changes are tried in the order of their usual gain, unbounded")
        return AmdahlLimits()
    for line in _told(diagnosis):
        session.progress.say(line)
    return AmdahlLimits(share_by_phase=dict(diagnosis.share_by_phase), kind=diagnosis.kind.get("kind"))


def _told(diagnosis: Diagnosis) -> list[str]:
    phases = ", ".join(
        f"{name.replace('_', ' ')} {phase['share']:.0%}"
        for name, phase in diagnosis.phases.items()
        if phase["share"] >= 0.01
    )
    findings = [
        f"  {f.code} {f.message}; at most {f.amdahl_limit:.2f}x" for f in diagnosis.findings[:_TOLD] if f.amdahl_limit
    ]
    kind = [f"this program is {diagnosis.kind['message']}"] if diagnosis.kind else []
    return [*kind, f"a step of {1e3 * diagnosis.step_seconds:.3g} ms: {phases}", *findings]
