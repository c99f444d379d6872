"""Step gate: one step under a plan, held against the same step in fp64, calibrated by eager's own error."""

import math

import torch

from hotloop.transform import Promise
from hotloop.verdict import Outcome, Verdict
from hotloop.verify.calibration import Calibration, Deviation
from hotloop.verify.dropout import modes
from hotloop.verify.fresh_job import Build, Prepare, fresh_job
from hotloop.verify.job_state import JobState, TensorsByName
from hotloop.verify.recorded_step import RecordedStep, losses_of_seeds, record_step
from hotloop.verify.torch_settings import preserved_settings

SPREAD = 1e-6  # relative; two losses that are nearer than this were not drawn with dropout
ULPS = 4  # what EXACT may differ from eager by, counted in ulp of a tensor's largest element


def check_equivalence(build: Build, plan_apply: Prepare, *, promise: Promise, roundoff: float) -> Verdict:
    """Whether a step under the plan is as near to fp64 as eager, or for reduced precision as noisy weights, would be.

    `roundoff` is the plan's. INCONCLUSIVE where eager itself is not finite, or random in a way that cannot be
    silenced. What the plan or the step raises is raised.
    """
    calibration = Calibration.measure(build, roundoff)
    doubt = _doubt(calibration, build)
    if doubt:
        return Verdict(gate="step", outcome=Outcome.INCONCLUSIVE, message=doubt)
    candidate = record_step(build, prepare=plan_apply, start_state=calibration.start_state)
    faults = [*_structure(calibration.eager, candidate), *_dropout(build, plan_apply, calibration.start_state)]
    deviations = calibration.deviations(candidate)
    if promise is Promise.EXACT:
        faults += _differences(calibration, candidate)
    return _verdict(calibration, deviations, faults)


def _verdict(calibration: Calibration, deviations: list[Deviation], faults: list[str]) -> Verdict:
    worst = max(deviations, key=lambda deviation: deviation.excess)
    whole = [deviation for deviation in deviations if " of " not in deviation.quantity]
    numbers = {deviation.quantity: deviation.error for deviation in whole}
    numbers |= {f"{deviation.quantity} allowed": deviation.allowed for deviation in whole}
    numbers["worst excess"] = worst.excess
    figures = f"{worst.quantity} is off by {worst.error:.1e}, allowed is {worst.allowed:.1e}"
    reason = f"({calibration.tolerance.reason}, plus rounding)"
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        return Verdict(gate="step", outcome=Outcome.FAIL, message=f"{faults[0]}{more}", numbers=numbers)
    outcome = Outcome.FAIL if worst.excess > 1 else Outcome.PASS
    message = f"{figures} {reason}" if worst.excess > 1 else f"one step is equivalent; nearest to its limit: {figures}"
    return Verdict(gate="step", outcome=outcome, message=message, numbers=numbers)


def _doubt(calibration: Calibration, build: Build) -> str:
    for name, step in (("the fp64 reference", calibration.reference), ("eager", calibration.eager)):
        fault = _not_finite(step)
        if fault:
            return f"{name} itself is not finite ({fault}), so nothing can be compared; train from another seed"
    again = record_step(build, rng_seed=1, start_state=calibration.start_state).loss
    spread = abs(again - calibration.eager.loss) / max(abs(again), 1e-12)
    if spread > 1e-5:
        return (
            f"with dropout off, two random seeds still give losses {spread:.1e} apart, so one step cannot be compared; "
            "use gate parity, or draw that noise in the batches"
        )
    return ""


def _structure(eager: RecordedStep, candidate: RecordedStep) -> list[str]:
    fault = _not_finite(candidate)
    found = [f"the candidate's step is not finite: {fault}"] if fault else []
    found += [f"parameter {name} is gone" for name in eager.weights if name not in candidate.weights]
    found += _missing_gradients(eager, candidate)
    found += _stillness("parameter", eager.updates, candidate.updates)
    found += _stillness("buffer", eager.buffers, candidate.buffers)
    for name, mode in eager.modes.items():
        other = candidate.modes.get(name, mode)
        if other.training != mode.training:
            found.append(f"module {name or 'root'} {_mode(mode.training)} in eager and {_mode(other.training)} here")
    return found


def _missing_gradients(eager: RecordedStep, candidate: RecordedStep) -> list[str]:
    if candidate.gradients or not eager.gradients:
        return [f"parameter {name} gets no gradient" for name in eager.gradients if name not in candidate.gradients]
    # A captured step keeps its gradients to itself; the optimizer's state then shows them.
    return [
        f"neither gradients nor optimizer state {name} can be seen" for name in eager.state.keys() - candidate.state
    ]


def _stillness(kind: str, eager: TensorsByName, candidate: TensorsByName) -> list[str]:
    found: list[str] = []
    for name, change in eager.items():
        moved, here = bool(change.any()), bool(candidate[name].any()) if name in candidate else False
        if moved and not here:
            found.append(f"{kind} {name} changes in eager and stays as it was here")
        if here and not moved:
            found.append(f"{kind} {name} stays as it was in eager and changes here")
    return found


def _dropout(build: Build, plan_apply: Prepare, start_state: JobState) -> list[str]:
    with preserved_settings():
        eager = modes(fresh_job(build, silent=False).model)
        candidate = modes(fresh_job(build, prepare=plan_apply, silent=False).model)
    found = [
        f"dropout {key} of module {name or 'root'} is {mode.rates[key]:g} in eager and {rate:g} here"
        for name, mode in eager.items()
        for key, rate in candidate.get(name, mode).rates.items()
        if rate != mode.rates.get(key, rate)
    ]
    if _spread(build, None, start_state) > SPREAD >= _spread(build, plan_apply, start_state):
        found.append("two random seeds give two losses in eager and the same loss here: dropout is off")
    return found


def _spread(build: Build, prepare: Prepare | None, start_state: JobState) -> float:
    one, other = losses_of_seeds(build, prepare=prepare, start_state=start_state)
    return abs(one - other) / max(abs(one), 1e-12)


def _differences(calibration: Calibration, candidate: RecordedStep) -> list[str]:
    eager, masks = calibration.eager, calibration.significant()
    epsilon = eager.epsilon
    largest = max((float(gradient.abs().max()) for gradient in eager.gradients.values()), default=0.0)
    found: list[str] = []
    for name, gradient in eager.gradients.items():
        limit = epsilon * (ULPS * float(gradient.abs().max()) + largest)
        if name in candidate.gradients and float((candidate.gradients[name] - gradient).abs().max()) > limit:
            found.append(f"promised exact, but the gradient of {name} is more than {ULPS} ulp from eager's")
    for name, weight in eager.weights.items():
        error = (candidate.weights[name] - weight).abs() if name in candidate.weights else torch.zeros(1)
        error = error * masks[name] if name in masks and name in candidate.weights else error
        if float(error.max()) > epsilon * ULPS * float(weight.abs().max()):
            found.append(f"promised exact, but parameter {name} is more than {ULPS} ulp from eager's after the step")
    return found


def _not_finite(step: RecordedStep) -> str:
    if not math.isfinite(step.loss):
        return f"loss {step.loss}"
    for kind, tensors in (("gradient", step.gradients), ("parameter", step.weights)):
        for name, tensor in tensors.items():
            if not bool(torch.isfinite(tensor).all()):
                return f"{kind} {name}"
    return ""


def _mode(training: bool) -> str:
    return "trains" if training else "is in eval mode"
