"""Amdahl limits: the most that a change can win, by the shares of the phases that it may shorten (Amdahl 1967).

A transform that does not say which phases it may shorten acts on everything (how memory is allocated, how many threads
there are), and has no limit.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hotloop import registry
from hotloop.transform import affects_phases
from hotloop.trial import Trial

_NOTHING = "nothing"
_ALL = 1.0 - 1e-6  # the shares of all phases add up to 1 within rounding


@dataclass(frozen=True, kw_only=True)
class AmdahlLimits:
    """Limits by the share of each phase in the step of the untransformed program; without shares there are none.

    `kind` is that of the program, in the words of `diagnose`; None where it was not told.
    """

    share_by_phase: Mapping[str, float] = field(default_factory=dict[str, float])
    kind: str | None = None

    def of(self, names: Iterable[str], *, speedup: float = 1.0) -> float | None:
        """The most that these transforms can win together, on top of a plan that is `speedup` times as fast.

        What is left of the step may be all theirs: on top of a plan the share of a phase is at most `speedup` times
        its share in the untransformed program. None where there is no limit.
        """
        if not self.share_by_phase:
            return None
        phases: set[str] = set()
        for name in names:
            shortened = affects_phases(registry.load("transforms", name))
            if shortened is None:
                return None
            phases.update(shortened)
        if not phases:
            return None
        share = speedup * sum(self.share_by_phase.get(phase, 0.0) for phase in phases)
        return 1.0 / (1.0 - share) if share < _ALL else None

    def on(self, trial: Trial, earlier: Sequence[Trial]) -> Trial:
        """The trial with the limit of its change; `earlier` trials tell what it was compared with."""
        if not self.share_by_phase or trial.amdahl_limit is not None:
            return trial
        before = _plan_of(trial.against, earlier)
        after = {str(table["name"]): table for table in trial.plan}
        if before is None or set(before) - set(after):  # something was taken away, or the plan is not known
            return trial
        changed = [name for name, table in after.items() if before.get(name) != table]
        speedup = _speedups(earlier).get(trial.against, 1.0)
        limit = self.of(changed, speedup=speedup) if math.isfinite(speedup) else None
        return replace(trial, amdahl_limit=limit)


def _plan_of(title: str, trials: Sequence[Trial]) -> dict[str, Mapping[str, Any]] | None:
    if title == _NOTHING:
        return {}
    plan = next((trial.plan for trial in trials if trial.title == title), None)
    return None if plan is None else {str(table["name"]): table for table in plan}


def _speedups(trials: Sequence[Trial]) -> dict[str, float]:
    """The most by which each kept plan was seen to beat the untransformed program, at least 1."""
    found = {_NOTHING: 1.0}
    for trial in trials:
        if trial.kept and trial.speedup is not None and trial.against in found:
            found[trial.title] = found[trial.against] * max(1.0, trial.speedup.high)
    return found
