"""Proves, or refuses to, that one plan makes one workload faster and still trains the same model."""

from dataclasses import replace
from pathlib import Path

from hotloop.errors import NotApplicable, PlanError, ProtectedFile, WorkloadError
from hotloop.proof.confirm import Confirmation, confirm
from hotloop.proof.confirm_learning import confirm_learning
from hotloop.proof.session import Options, Progress, Session, open_session
from hotloop.transform import Plan, Promise
from hotloop.trial import Result, Trial
from hotloop.verdict import Outcome, Verdict, does_not_apply, worst
from hotloop.verify.gate_result import GateResult
from hotloop.verify.recipe_gate import check_recipe
from hotloop.workload import Recipe, Workload, parse_workload

_CLAIMED = ("memory", "speed")


def prove(
    workload: Workload | str,
    plan: Plan | str | Path,
    *,
    options: Options | None = None,
    progress: Progress | None = None,
) -> Result:
    """The verdict on `plan`: PASS only where it is faster beyond this machine's own noise and passes the gates.

    Raises WorkloadError where the script itself does not run, PlanError where the plan cannot be read.
    """
    workload = parse_workload(workload) if isinstance(workload, str) else workload
    plan = plan if isinstance(plan, Plan) else Plan.load(plan)
    options = options or Options()
    with open_session("prove", workload, options, progress) as session:
        refusal = next(filter(None, map(session.applicability, plan.transforms)), None)
        if refusal is not None:
            return finish(session, plan, GateResult(verdicts=(refusal,)), Confirmation())
        gates = verified(session, plan)
        if worst(gates.verdicts) is Outcome.FAIL and plan.transforms:
            return finish(session, plan, gates, Confirmation())
        return confirmed(session, plan, gates, title="prove")


def confirmed(session: Session, plan: Plan, gates: GateResult, *, title: str) -> Result:
    """The result of a session whose plan has passed its gates: the claim is measured in the time that is left.

    A plan that promises STATISTICAL meets gate 3 here, on the same runs that its time to a target is taken from.
    """
    if plan.promise is not Promise.STATISTICAL:
        return finish(session, plan, gates, confirm(session, plan, title=title, seconds=session.left))
    if session.options.objective.counts_memory:
        raise PlanError(
            f"{plan.title} trains otherwise by design and is judged by the time to a target loss, which says nothing "
            "of memory; leave those transforms out, or take --objective throughput"
        )
    parity, confirmation = confirm_learning(session, plan, title=title, seconds=session.left)
    return finish(session, plan, replace(gates, verdicts=(*gates.verdicts, parity)), confirmation)


def verified(session: Session, plan: Plan) -> GateResult:
    """What the gates say of a plan; a plan under which the program crashes fails the gate "runs".

    Raises MeasurementError where the untransformed program crashes when it is run once more.
    """
    if not plan.transforms:
        return GateResult(
            verdicts=(Verdict(gate="drift", outcome=Outcome.PASS, message="the empty plan changes nothing"),)
        )
    session.progress.say(f"verifying {plan.title}: {session.options.steps} steps against the untransformed program")
    session.gate.prepare()
    try:
        if isinstance(session.workload, Recipe) and plan.comparable.transforms:
            step = check_recipe(session.workload, plan.comparable, session.settings)
            if not step.passed:
                return GateResult(verdicts=(step,))
        if plan.promise is not Promise.STATISTICAL:
            return session.gate.check(plan)
        return _verified_in_part(session, plan)
    except NotApplicable as reason:
        return GateResult(verdicts=(does_not_apply(reason),))
    except (WorkloadError, ProtectedFile) as error:
        return GateResult(verdicts=(Verdict(gate="runs", outcome=Outcome.FAIL, message=str(error)),))


def _verified_in_part(session: Session, plan: Plan) -> GateResult:
    """Of a plan that trains otherwise by design: what can be compared step by step, and that all of it still trains."""
    gates = session.gate.check(plan.comparable) if plan.comparable.transforms else GateResult(verdicts=())
    if worst(gates.verdicts) is Outcome.FAIL and gates.verdicts:
        return gates
    return replace(gates, verdicts=(*gates.verdicts, session.gate.check_what_trains(plan)))


def finish(session: Session, plan: Plan, gates: GateResult, confirmation: Confirmation) -> Result:
    """The result of a session that tried one plan last; recorded, and its trial with it."""
    verdicts = (*gates.verdicts, *confirmation.verdicts)
    outcome = worst(verdicts)
    session.add(
        Trial(
            plan=tuple(plan.to_data()),
            title=plan.title,
            change="the whole plan",
            kept=outcome is Outcome.PASS,
            reason=_message(verdicts),
            speedup=confirmation.speedup,
            aa=confirmation.aa,
            verdicts=verdicts,
            startup_seconds=confirmation.startup_seconds,
            memory=confirmation.memory,
            memory_ratio=confirmation.memory_ratio,
            replicates=confirmation.replicates,
        )
    )
    for note in gates.notes:
        session.note(note)
    session.note_files_made_outside()
    result = Result(
        workload=session.workload.title,
        verdict=outcome if confirmation.verdict or outcome is Outcome.FAIL else Outcome.INCONCLUSIVE,
        message=_message(verdicts),
        speedup=confirmation.speedup,
        aa=confirmation.aa,
        clock=confirmation.clock or session.clock,
        plan=tuple(plan.to_data()),
        payback_steps=confirmation.payback.steps,
        payback_seconds=confirmation.payback.seconds,
        trials=tuple(session.trials),
        environment=session.environment,
        evidence=session.evidence,
        command=session.options.command,
        verdicts=verdicts,
        baseline_step=confirmation.baseline_step,
        step=confirmation.step,
        program=confirmation.program,
        method=confirmation.method,
        stopped_by=confirmation.stopped_by,
        tuning_seconds=session.elapsed,
        curves=gates.curves,
        notes=tuple(session.notes),
        objective=session.options.objective,
        memory_ratio=confirmation.memory_ratio,
        memory_aa=confirmation.memory_aa,
        baseline_memory=confirmation.baseline_memory,
        memory=confirmation.memory,
    )
    session.finish(plan, result)
    return result


def _message(verdicts: tuple[Verdict, ...]) -> str:
    """The sentence of the verdict that decided: the first that did not pass, or those of memory and speed."""
    deciding = worst(verdicts)
    if deciding is Outcome.PASS:
        return "; ".join(v.message for v in verdicts if v.gate in _CLAIMED) or verdicts[-1].message
    return next((v.message for v in verdicts if v.outcome is deciding), verdicts[-1].message)
