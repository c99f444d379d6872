"""Instructions of a step: nearly the same from run to run where nothing waits, whatever else the machine does."""

from collections.abc import Sequence

from hotloop.guard.counts import Counts
from hotloop.guard.limits import METRICS, GuardSettings, Limit
from hotloop.guard.metric import Metric, judge_count, unknown

NAME = "instructions"


def instructions_metric(base: Sequence[Counts], head: Sequence[Counts], settings: GuardSettings) -> Metric | None:
    """The verdict on the fewest of each side's runs, since what disturbs a run only adds.

    Without a limit in the settings it is shown and never fails. What was not counted could not be told; it is None, and
    left out, where all metrics are measured by default and nobody asked for this one.
    """
    limit = settings.limits.get(NAME)
    missing = next((run.no_instructions for run in (*base, *head) if run.instructions is None), None)
    if missing is not None:
        is_asked_for = limit is not None or settings.metrics != METRICS
        return unknown(NAME, missing) if is_asked_for else None
    ours, theirs = (min(run.instructions or 0.0 for run in runs) for runs in (base, head))
    return judge_count(NAME, ours, theirs, limit or Limit(relative=float("inf")))
