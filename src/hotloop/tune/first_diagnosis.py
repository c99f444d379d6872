"""A short diagnosis before the search: what each change could win at most."""

from hotloop.diagnose.diagnosis import Diagnosis
from hotloop.diagnose.trace import Look, trace_with
from hotloop.errors import HotloopError
from hotloop.proof.amdahl import Bounds
from hotloop.proof.session import Session

_STEPS = 30
_MOST_SECONDS = 8.0
_SHARE_OF_THE_BUDGET = 0.04
_TOLD = 3


def look(session: Session) -> Bounds:
    """Bounds from a run under the session's own settings; none, and a note that says why, where it did not succeed."""
    seconds = min(_MOST_SECONDS, max(1.0, _SHARE_OF_THE_BUDGET * session.options.budget))
    session.progress.say("looking where the time goes")
    try:
        diagnosis = trace_with(
            session.workload, Look(steps=_STEPS, budget=seconds), session.settings, session.environment
        )
    except HotloopError as error:
        reason = str(error).splitlines()[0]
        session.note(f"the diagnosis failed ({reason}): changes are tried in the order of their usual gain, unbounded")
        return Bounds()
    for line in _told(diagnosis):
        session.progress.say(line)
    return Bounds(reach=dict(diagnosis.reach))


def _told(diagnosis: Diagnosis) -> list[str]:
    phases = ", ".join(
        f"{name.replace('_', ' ')} {phase['share']:.0%}"
        for name, phase in diagnosis.phases.items()
        if phase["share"] >= 0.01
    )
    findings = [f"  {f.code} {f.message}; at most {f.bound:.2f}x" for f in diagnosis.findings[:_TOLD] if f.bound]
    return [f"a step of {1e3 * diagnosis.step_seconds:.3g} ms: {phases}", *findings]
