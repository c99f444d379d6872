"""The parts of training that a recipe told of, by which the gates say where a plan no longer holds."""

import re
from dataclasses import replace

import numpy as np

from hotloop.verdict import Verdict
from hotloop.verify.distance import relative_losses
from hotloop.worker.observation import Observation

_STEP = re.compile(r"\bstep (\d+)\b")


def phases_seen(run: Observation) -> tuple[str, ...]:
    """All of them, in the order in which they first came."""
    return tuple(dict.fromkeys(phase for _, phase in run.phases))


def phase_of(run: Observation, step: int) -> str | None:
    """The phase of a step; None where the recipe told of none."""
    return next((phase for first, phase in reversed(run.phases) if first <= step), None)


def given_up_by(run: Observation, baseline: Observation) -> str | None:
    """Where Dynamo first ran something eagerly that it had compiled before, and does not in the baseline too.

    None for programs without phases, which may live with one shape too many.
    """
    known = {told for _, told in baseline.given_up}
    for step, told in run.given_up if baseline.phases else ():
        if told not in known:
            return f"{_at(baseline, step)} compiling was given up: {told}"
    return None


def named(verdict: Verdict, run: Observation, baseline: Observation) -> Verdict:
    """The same verdict; one that does not pass names the phase of each step it tells of, and where losses part."""
    if verdict.passed or not baseline.phases:
        return verdict
    message = _STEP.sub(lambda found: f"step {found[1]}{_while(baseline, int(found[1]))}", verdict.message)
    limit = verdict.numbers.get("early_limit")
    if limit is not None:
        apart = np.flatnonzero(~(np.abs(relative_losses(run, baseline)) <= limit))
        if len(apart):
            message += f"; the losses part {_at(baseline, int(apart[0]) + 1)}"
    return replace(verdict, message=message)


def _at(baseline: Observation, step: int) -> str:
    return f"in step {step}{_while(baseline, step)}"


def _while(baseline: Observation, step: int) -> str:
    phase = phase_of(baseline, step)
    return "" if phase is None else f" (while {phase})"
