"""Gate 3 and the figure of plans that train otherwise by design: how soon they reach a target loss, over several seeds.

The time of a step says nothing here. Beside the plan run controls, the untransformed program with larger learning
rates: what only takes larger steps in disguise gains nothing over a learning rate that is tuned.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from hotloop.compare.learning_run import LearningRun, learning_block, learning_run, run_to_learn
from hotloop.compare.series import BASELINE
from hotloop.compare.time_to_target import FEWEST_RUNS, MOST_RUNS, SHARES, TimeToTarget
from hotloop.errors import MeasurementError, NotApplicable, ProtectedFile, WorkloadError
from hotloop.measurement import Interval
from hotloop.proof.confirm import Confirmation
from hotloop.proof.session import Session
from hotloop.transform import Plan
from hotloop.verdict import Outcome, Verdict, does_not_apply
from hotloop.verify.parity import parity_verdict
from hotloop.worker.turn_report import TurnReport

PLAN = "plan"
METHOD = "time to target"
_CONTROLS = {
    f"learning rate x {factor:g}": Plan.from_data([{"name": "learning_rate", "factor": factor}])
    for factor in (1.5, 2.0)
}
_LONGEST_RUN = 60.0
_SPARE = 1.4  # what a process takes beside its steps, as a share


@dataclass(kw_only=True)
class _Learning:
    """The runs so far of each arm, of the same seeds in each; an arm that cannot run leaves with its reason."""

    session: Session
    title: str
    plans: dict[str, Plan]
    run_seconds: float
    first_seed: int
    run: Callable[..., TurnReport]
    runs: dict[str, list[LearningRun]] = field(default_factory=dict[str, list[LearningRun]])
    failures: dict[str, Verdict] = field(default_factory=dict[str, Verdict])
    steps: int = 0

    def add_round(self) -> None:
        """One more run of every arm from the next seed, in random order; the very first is the baseline's."""
        arms = list(self.plans)
        self.session.order.shuffle(arms)
        if not self.steps:
            arms.sort(key=lambda arm: arm != BASELINE)
        for arm in arms:
            self._run(arm)

    def _run(self, arm: str) -> None:
        session, runs = self.session, self.runs.setdefault(arm, [])
        seed = self.first_seed + len(runs)
        session.progress.say(f"{self.title}: {arm}, seed {seed}")
        try:
            report = self.run(
                session.workload,
                self.plans[arm],
                session.settings,
                seed=seed,
                steps=self.steps,
                seconds=self.run_seconds,
            )
        except NotApplicable as reason:
            self._drop(arm, does_not_apply(reason))
            return
        except (WorkloadError, ProtectedFile, MeasurementError) as error:
            if arm == BASELINE:
                raise
            self._drop(arm, Verdict(gate="runs", outcome=Outcome.FAIL, message=str(error)))
            return
        session.recorder.block(self.title, learning_block(report, arm, len(runs)))
        runs.append(learning_run(report, session.clock))
        self.steps = self.steps or runs[-1].steps

    def _drop(self, arm: str, verdict: Verdict) -> None:
        self.failures[arm] = verdict
        self.plans.pop(arm)
        self.runs.pop(arm)

    def against(self, arm: str) -> TimeToTarget:
        """The plan beside another arm."""
        return TimeToTarget(baseline=self.runs[arm], plan=self.runs[PLAN])

    @property
    def controls(self) -> list[str]:
        """The controls that ran."""
        return [arm for arm in self.runs if arm in _CONTROLS]


def confirm_learning(
    session: Session,
    plan: Plan,
    *,
    title: str,
    seconds: float,
    first_seed: int = 0,
    run: Callable[..., TurnReport] = run_to_learn,
) -> tuple[Verdict, Confirmation]:
    """The verdict of parity, and what may be claimed of the time to the last target.

    At least four runs of each arm from seeds of their own, and more, up to ten, until both are decided or `seconds` are
    spent. `run` makes one of them, so that this can be tried without a machine. Raises as workers do where the
    untransformed program fails.
    """
    session.watch_load()
    run_seconds = min(_LONGEST_RUN, seconds / (_SPARE * FEWEST_RUNS * (2 + len(_CONTROLS))))
    plans = {BASELINE: Plan(), PLAN: plan, **_CONTROLS}
    learning = _Learning(
        session=session, title=title, plans=plans, run_seconds=run_seconds, first_seed=first_seed, run=run
    )
    deadline = session.elapsed + seconds
    while True:
        began = session.elapsed
        learning.add_round()
        if PLAN in learning.failures:
            failure = learning.failures[PLAN]
            return failure, Confirmation()
        count = len(learning.runs[PLAN])
        parity, speed = _judged(learning)
        if count >= FEWEST_RUNS and Outcome.INCONCLUSIVE not in (parity.outcome, speed.outcome):
            break
        last = session.elapsed - began
        if count >= MOST_RUNS or (count >= FEWEST_RUNS and deadline - session.elapsed < last):
            break
        if session.elapsed + last > deadline + seconds:  # too slow for four: the claim stays open
            break
    for note in notes_of(learning.runs) if len(learning.runs[PLAN]) > 1 else ():
        session.note(note)
    return parity, _confirmation(learning, speed)


def _judged(learning: _Learning) -> tuple[Verdict, Verdict]:
    comparison = learning.against(BASELINE)
    speed = comparison.verdict()
    if speed.passed:
        speed = _beside_controls(learning, speed)
    return parity_verdict(learning.runs[PLAN], learning.runs[BASELINE]), speed


def _beside_controls(learning: _Learning, speed: Verdict) -> Verdict:
    """A gain that a larger learning rate gives as well is not the plan's."""
    target = learning.against(BASELINE).target()
    for arm in learning.controls:
        control = TimeToTarget(baseline=learning.runs[BASELINE], plan=learning.runs[arm])
        alone, beyond = control.ratio(target), learning.against(arm).ratio(target)
        if alone is None:  # with that rate the target is not always met, which the plan does
            continue
        if beyond is not None and beyond.low > 1:
            continue
        outcome = Outcome.FAIL if alone.low > 1 else Outcome.INCONCLUSIVE
        message = (
            f"a larger learning rate gives the same: {arm} alone reaches the loss of {target:.4g} {_speed(alone)} as "
            f"fast, the plan {speed.numbers['ratio']:.2f}x; tune the learning rate first, or keep transform "
            "'learning_rate'"
        )
        return Verdict(gate="speed", outcome=outcome, message=message, numbers=speed.numbers)
    return speed


def notes_of(runs: Mapping[str, Sequence[LearningRun]]) -> list[str]:
    """The table of times to targets, what the plan counted, and what was not looked at."""
    baseline = runs[BASELINE]
    said = [f"time to target over {len(baseline)} runs of {baseline[0].steps} steps (above 1x is sooner):"]
    for share in SHARES:
        told: list[str] = []
        for arm in runs:
            if arm == BASELINE:
                continue
            found = TimeToTarget(baseline=baseline, plan=runs[arm])
            ratio = found.ratio(found.target(share))
            missed = found.missed(found.target(share))
            told.append(f"{arm} {_speed(ratio) if ratio else f'not reached in {missed} of {len(runs[arm])} runs'}")
        target = TimeToTarget(baseline=baseline, plan=()).target(share)
        said.append(f"  loss {target:.4g}, met by all plain runs within {share:.0%} of their steps: {', '.join(told)}")
    return [*said, *_counted(runs[PLAN]), *_untuned(runs), _NOT_SEEN]


_NOT_SEEN = (
    "losses are those that the program differentiates, or their estimate for all examples; what it does on held-out "
    "data was not looked at"
)


def _counted(runs: Sequence[LearningRun]) -> list[str]:
    names = {name: [run.figures[name] for run in runs if name in run.figures] for name in runs[0].figures}
    means = {name: statistics.fmean(values) for name, values in names.items() if values}
    if not means:
        return []
    figures = ", ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in means.items())
    return [f"counted under the plan, which is no speed: {figures}"]


def _untuned(runs: Mapping[str, Sequence[LearningRun]]) -> list[str]:
    """Whether the program's own learning rate is too small, by the controls."""
    found: list[str] = []
    for arm in _CONTROLS:
        if len(runs.get(arm, ())) >= FEWEST_RUNS:
            alone = TimeToTarget(baseline=runs[BASELINE], plan=runs[arm])
            ratio = None if alone.problem else alone.ratio(alone.target())
            if ratio is not None and ratio.low > 1:
                found.append(f"{arm} alone reaches the last target {_speed(ratio)} as fast")
    return [f"the learning rate of the program is not tuned: {'; '.join(found)}"] if found else []


def _speed(ratio: Interval) -> str:
    return f"{ratio.ratio:.2f}x [{ratio.low:.2f}, {ratio.high:.2f}]"


def _confirmation(learning: _Learning, speed: Verdict) -> Confirmation:
    comparison = learning.against(BASELINE)
    ratio = None if comparison.problem else comparison.ratio(comparison.target())
    steps = [sum(run.seconds) / run.steps for run in learning.runs[BASELINE]]
    return Confirmation(
        verdict=speed,
        speedup=ratio,
        clock=learning.session.clock,
        method=METHOD,
        replicates=len(learning.runs[PLAN]),
        baseline_step=statistics.fmean(steps),
    )
