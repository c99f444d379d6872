"""What a verdict looked at, in words, and what of it could not be followed."""

import numpy as np

from hotloop.verify.phases import phases_seen
from hotloop.worker.observation import Observation

_KINDS = {
    "end of an epoch": "ends of epochs",
    "evaluation": "calls in evaluation",
    "checkpoint": "checkpoints",
    "scheduler step": "scheduler steps",
}


def covered(baseline: Observation, *, seconds: float = 0.0) -> str:
    """Steps, optimizers, tensors and events that were seen, and the kinds of events that were not reached.

    `seconds` are those of training for which the untransformed program was followed to meet them.
    """
    tensors = sum(len(optimizer.names) for optimizer in baseline.optimizers)
    seen = [f"{len(baseline.losses)} steps", _count(len(baseline.optimizers), "optimizer"), _count(tensors, "tensor")]
    seen += [_count(n, kind, several) for kind, several in _KINDS.items() if (n := baseline.events.get(kind, 0))]
    missed = [kind for kind in _KINDS if not baseline.events.get(kind)]
    seen += ["the end of the program"] if baseline.ended else []
    if phases := phases_seen(baseline):
        seen.append(f"{_count(len(phases), 'phase')} ('{phases[0]}' to '{phases[-1]}')")
    within = f" within {seconds:.0f} s of training" if seconds and not baseline.ended else ""
    return f"seen: {', '.join(seen)}" + (f"; not reached{within}: {', '.join(missed)}" if missed else "")


def sites(run: Observation) -> str:
    """How many models, optimizers and loaders each transform of a plan reached, and why not all; empty for none."""
    reached = [f"{name} on {told}" for name, told in run.sites_changed.items()]
    return ", ".join([*reached, *(f"{name} did not ({reason})" for name, reason in _idle(run).items())])


def nothing_acted(run: Observation) -> str:
    """Why nothing of the plan acted while it was watched, such as no step that ran as a graph; empty where it did."""
    idle = _idle(run)
    if not idle or any(name not in run.not_applied for name in run.applied):
        return ""
    reasons = "; ".join(f"{name}: {reason}" for name, reason in idle.items())
    return f"nothing of the plan acted in the steps that were watched: {reasons}"


def _idle(run: Observation) -> dict[str, str]:
    """Transforms that were applied, and that say themselves that they have changed nothing."""
    return {name: reason for name, reason in run.not_applied.items() if run.applied.get(name)}


def not_followed(baseline: Observation) -> str | None:
    """Why nothing can be said: no tensor of any optimizer was followed, or none has moved, or the losses diverge."""
    if not any(optimizer.names for optimizer in baseline.optimizers):
        return "no tensor that an optimizer updates could be followed"
    for index, optimizer in enumerate(baseline.optimizers):
        if not np.any(np.asarray(optimizer.updates)):
            return f"no tensor of optimizer {index} moved in the untransformed program"
    finite = np.isfinite(baseline.losses)
    if not finite[-3:].any():
        first = int(np.flatnonzero(finite)[-1]) + 2 if finite.any() else 1
        return f"the untransformed program diverges: from step {first} on its loss is not finite"
    return None


def _count(number: int, one: str, several: str | None = None) -> str:
    return f"{number} {one}" if number == 1 else f"{number} {several or one + 's'}"
