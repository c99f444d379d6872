"""One comparison under way: counts first, which decide without noise, then replicates, then losses."""

import time
from dataclasses import dataclass, field

from hotloop.errors import MeasurementError, NeverStepped, ProtectedFile, WorkloadError
from hotloop.guard.compiling import MOST_RUNS, RUNS, compile_metric
from hotloop.guard.counts import Counts, count, count_metrics, worse_counts
from hotloop.guard.instructions import NAME as INSTRUCTIONS
from hotloop.guard.instructions import instructions_metric
from hotloop.guard.leaks import check_imports
from hotloop.guard.limits import TIMED, GuardSettings
from hotloop.guard.losses import compare_losses
from hotloop.guard.metric import Metric, unknown
from hotloop.guard.timed import Timed, measure_timed
from hotloop.guard.trees import Trees
from hotloop.proof.session import Session
from hotloop.verdict import Outcome, worst
from hotloop.workload import Workload

_SHARE_OF_COMPILING = 0.5  # of what is left of the budget
_SHARE_OF_REPLICATES = 0.8  # of what is left of the budget; losses come after them
_CANNOT_RUN = (WorkloadError, ProtectedFile, MeasurementError)


@dataclass(frozen=True, kw_only=True)
class Found:
    """The metrics with the verdict on all of them; what the replicates and the first count of each side were."""

    metrics: tuple[Metric, ...]
    verdict: Outcome
    message: str
    timed: Timed = field(default_factory=Timed)
    base: Counts | None = None
    head: Counts | None = None

    @staticmethod
    def of(metrics: list[Metric], settings: GuardSettings) -> "Found":
        """All metrics that are wanted, in their order, and one sentence on them."""
        ordered = tuple(sorted(metrics, key=lambda metric: settings.metrics.index(metric.name)))
        outcome = worst(metric.as_verdict() for metric in ordered)
        names = ", ".join(metric.name for metric in ordered if metric.verdict is outcome)
        said = {
            Outcome.FAIL: f"worse: {names}",
            Outcome.INCONCLUSIVE: f"no regression was proven, and {names} could not be told",
            Outcome.PASS: "no regression",
        }
        return Found(metrics=ordered, verdict=outcome, message=said[outcome])

    @staticmethod
    def nothing(reason: str, settings: GuardSettings, outcome: Outcome = Outcome.INCONCLUSIVE) -> "Found":
        """No metric was measured."""
        metrics = tuple(unknown(name, reason) for name in settings.metrics)
        return Found(metrics=metrics, verdict=outcome, message=reason)


class Measuring:
    """Base and head of one session; `workloads` are theirs in that order."""

    def __init__(
        self, session: Session, trees: Trees, workloads: tuple[Workload, Workload], settings: GuardSettings
    ) -> None:
        self._session = session
        self._trees = trees
        self._workloads = workloads
        self._settings = settings
        self._base: list[Counts] = []
        self._head: list[Counts] = []
        self._pair_seconds = 0.0

    def measure(self) -> Found:
        """All wanted metrics. A side that cannot run ends it: INCONCLUSIVE for the base, FAIL for the head."""
        found: list[Metric] = []
        began = time.monotonic()
        try:
            self._count("base")
        except _CANNOT_RUN as error:
            return Found.nothing(f"the base cannot be run: {error}", self._settings)
        try:
            self._count_head()
        except (NeverStepped, MeasurementError) as error:  # a machine under load is as slow
            return Found.nothing(f"the head cannot be measured: {error}", self._settings)
        except (WorkloadError, ProtectedFile) as error:
            return Found.nothing(f"the base runs and the head does not: {error}", self._settings, Outcome.FAIL)
        self._pair_seconds = time.monotonic() - began
        timed = Timed()
        try:
            found += self._counted()
            timed = self._timed()
            found += timed.metrics
            found += self._losses()
        except _CANNOT_RUN as error:
            measured = {metric.name for metric in found}
            found += [unknown(name, str(error)) for name in self._settings.metrics if name not in measured]
        if timed.failure is not None:
            reason = f"the base runs and the head does not: {timed.failure.message}"
            return Found.nothing(reason, self._settings, Outcome.FAIL)
        result = Found.of(found, self._settings)
        return Found(
            metrics=result.metrics,
            verdict=result.verdict,
            message=result.message,
            timed=timed,
            base=self._base[0],
            head=self._head[0],
        )

    def _count_head(self) -> None:
        """Twice where it does not run: what a machine does once is no fault of the head."""
        try:
            self._count("head")
        except WorkloadError as error:
            self._session.note(f"the head was run a second time, as it did not run at first: {error}")
            self._count("head")

    def _count(self, title: str) -> None:
        self._session.progress.say(f"counting what {title} does")
        is_head = title == "head"
        side = self._trees.head if is_head else self._trees.base
        runs = self._head if is_head else self._base
        found = count(
            side,
            self._workloads[is_head],
            self._session.settings,
            steps=self._settings.steps,
            run=f"{title}-{len(runs)}",
        )
        check_imports(self._trees.top, side.tree, found)
        runs.append(found)

    def _counted(self) -> list[Metric]:
        """Run again what is called worse, to see that it counts the same, and what compiles, for its time."""
        settings = self._settings
        is_timed = "compile_time" in settings.metrics
        compiles = is_timed and bool(self._base[0].compile_seconds or self._head[0].compile_seconds)
        is_doubtful = bool(worse_counts(self._base[0], self._head[0], settings)) or self._has_more_instructions()
        for _ in range(self._runs_of_compiling() - 1 if compiles else int(is_doubtful)):
            self._count("base")
            self._count("head")
        limit = settings.limits["compile_time"]
        instructions = self._instructions()
        return [
            *count_metrics(self._base, self._head, settings),
            *([instructions] if instructions else []),
            *([compile_metric(self._base, self._head, limit)] if is_timed else []),
        ]

    def _instructions(self) -> Metric | None:
        if INSTRUCTIONS not in self._settings.metrics:
            return None
        return instructions_metric(self._base, self._head, self._settings)

    def _has_more_instructions(self) -> bool:
        found = self._instructions()
        return found is not None and found.verdict is Outcome.FAIL

    def _runs_of_compiling(self) -> int:
        """Fixed before the second is made: to stop where the figures please would claim what is not there."""
        in_time = _SHARE_OF_COMPILING * self._session.left / max(self._pair_seconds, 1e-3)
        return min(MOST_RUNS, max(RUNS, 1 + int(in_time)))

    def _timed(self) -> Timed:
        if not any(name in self._settings.metrics for name in TIMED):
            return Timed()
        seconds = _SHARE_OF_REPLICATES * self._session.left
        return measure_timed(self._session, self._workloads[1], self._settings, seconds=seconds)

    def _losses(self) -> list[Metric]:
        if "loss" not in self._settings.metrics:
            return []
        session = self._session
        session.progress.say("comparing losses")
        return [compare_losses(self._workloads, self._settings, session.settings, lambda: not session.left)]
