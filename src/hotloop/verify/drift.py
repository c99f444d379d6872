"""The step gate and the drift gate of any program: its steps and losses stay inside the baseline's own noise.

The noise is measured: the baseline is run again from weights that carry the rounding of the plan's precision (bf16:
2**-9, otherwise 2**-18), and with other random streams where its modules draw random numbers.
"""

import contextlib
from dataclasses import replace

import numpy as np

from hotloop.errors import MeasurementError, ProtectedFile, WorkloadError
from hotloop.transform import Plan, Stage, changes_settings
from hotloop.verdict import Outcome, Verdict
from hotloop.verify.clipping import differences_in_norms
from hotloop.verify.coverage import covered, not_followed, nothing_acted, sites
from hotloop.verify.differences import differences_in_kind, differences_in_settings, differences_in_what_trains
from hotloop.verify.distance import SAME, Distance, are_same, distance, farthest, mean_run
from hotloop.verify.gate_result import GateResult, holds, inconclusive, not_proven, refused, with_coverage
from hotloop.verify.gradient_digits import differences_in_digits
from hotloop.verify.gradient_norms import differences_in_gradient_norms
from hotloop.verify.last_step import last_step, up_to
from hotloop.verify.loss_band import loss_band
from hotloop.verify.order import differences_in_order, draws_otherwise, fetches_draw
from hotloop.verify.phases import given_up_by, named
from hotloop.verify.saved import differences_in_values_of_saves, not_compared, not_repeated
from hotloop.verify.tolerance import OWN_NOISE, Tolerance, is_reduced
from hotloop.verify.verdicts import drift_verdict, step_verdict, unpaired_verdict
from hotloop.worker.draws import Draws
from hotloop.worker.observation import NotFollowed, Observation, watch
from hotloop.worker.process import Settings
from hotloop.worker.spec import ObservationSpec
from hotloop.workload import Workload

_NOISE_SEEDS = (1, 2, 3, 4)  # two understate the spread: they refused a sound bf16 plan on a ResNet
_STREAMS = (0, 1, 2)
_UNPAIRED_RUNS = (4, 8)
_FEWEST_STEPS = 6
_REPEATED = 1e-3
_TOLD = 4


class DriftGate:
    """Checks plans against the untransformed workload; runs of the baseline are made once and kept.

    At least `steps` steps are compared, and more where the first end of an epoch, scheduler step, evaluation,
    checkpoint or the program's own end come within `further_seconds` of plain training.
    """

    def __init__(
        self, workload: Workload, settings: Settings, *, steps: int = 30, further_seconds: float = 0.0
    ) -> None:
        self._workload = workload
        self._settings = settings
        self._steps = steps
        self._further_seconds = further_seconds
        self._last = 0 if further_seconds else steps
        self._kept: dict[ObservationSpec, Observation] = {}
        self._results: dict[str, GateResult] = {}

    def prepare(self) -> None:
        """Run the baseline twice. Raises as workers do where the untransformed program itself does not train."""
        with contextlib.suppress(NotFollowed):  # `check` says so of each plan
            self._find_last()
            self._baseline(self._spec(seed=0), self._unwatched())

    def check(self, plan: Plan) -> GateResult:
        """Whether `plan` trains the same model. Raises as workers do where it crashes."""
        try:
            return self._checked_by_precision(plan)
        except NotFollowed as error:
            return inconclusive(str(error))

    def check_what_trains(self, plan: Plan) -> Verdict:
        """The step gate of a plan that trains otherwise by design: the same settings, and what moved still moves.

        Raises as workers do where it crashes.
        """
        try:
            self._find_last()
            baseline = self._baseline(self._spec(seed=0))
            run = self._run(plan, self._spec(seed=0))
        except NotFollowed as error:
            return Verdict(gate="step", outcome=Outcome.INCONCLUSIVE, message=str(error))
        reason = self._too_little_seen(baseline) or not_followed(baseline)
        if reason is not None:
            return Verdict(gate="step", outcome=Outcome.INCONCLUSIVE, message=reason)
        settings = differences_in_settings(run, baseline, declared=_declared(plan))
        found = [*settings, *differences_in_what_trains(run, baseline, is_paired=False)]
        outcome = Outcome.FAIL if found else Outcome.PASS
        message = "; ".join(found[:_TOLD]) or f"{_STILL_MOVES}; {self._seen(baseline)}; the plan acts: {sites(run)}"
        return Verdict(gate="step", outcome=outcome, message=message)

    def _find_last(self) -> None:
        """Run the untransformed program once, of which only losses are taken, to see where its events come."""
        if self._last:
            return
        spec = replace(self._spec(seed=0), steps=self._steps, losses_only=True, further_seconds=self._further_seconds)
        run = watch(self._workload, [(Plan(), spec)], self._settings)[0]
        self._last = last_step(run, self._steps)
        self._kept[self._unwatched()] = up_to(run, self._last)

    def _checked_by_precision(self, plan: Plan) -> GateResult:
        """What rounds finer than the whole plan is judged first and by itself, so that nothing hides behind bf16."""
        finer = Plan(tuple(transform for transform in plan.transforms if not is_reduced(transform.roundoff)))
        if not (finer.transforms and is_reduced(plan.roundoff)):
            return self._judged_once(plan)
        result = self._judged_once(finer)
        if holds(result):
            return self._judged_once(plan)
        return replace(result, notes=(*result.notes, f"judged in fp32, as {finer.short_title} alone"))

    def _judged_once(self, plan: Plan) -> GateResult:
        key = plan.to_toml()
        if key not in self._results:
            self._results[key] = self._checked(plan)
        return self._results[key]

    def _checked(self, plan: Plan) -> GateResult:
        self._find_last()
        baseline = self._baseline(self._spec(seed=0))
        reason = self._too_little_seen(baseline) or not_followed(baseline)
        if reason is not None:
            return inconclusive(reason)
        notes = () if baseline.seeds_itself else (_UNSEEDED,)
        if self._is_changed_by_watching():
            if not self._is_irreproducible():
                return inconclusive("watching the untransformed program changes its losses, so nothing can be compared")
            return self._unpaired(plan, (*notes, _UNREPEATED))
        results = [self._paired(plan, seed) for seed in ((0,) if baseline.seeds_itself else (0, 1))]
        worst = next((result for result in results if not all(v.passed for v in result.verdicts)), results[0])
        result = with_coverage(replace(worst, notes=(*notes, *worst.notes)), self._seen(baseline))
        unknown = not_compared(baseline)
        return not_proven(result, unknown) if unknown is not None and holds(result) else result

    def _spec(
        self, *, seed: int, stream: int = 0, noise: tuple[float, int] = (0.0, 0), draws: Draws = "shared"
    ) -> ObservationSpec:
        return ObservationSpec(
            steps=self._last,
            dense=self._steps,
            seed=seed,
            stream=stream,
            noise=noise[0],
            noise_seed=noise[1],
            draws=draws,
        )

    def _unwatched(self, number: int = 0) -> ObservationSpec:
        """A run of which only the losses are taken; each number is a run of its own."""
        return replace(self._spec(seed=0, noise=(0.0, -1 - number)), losses_only=True)

    def _baseline(self, *specs: ObservationSpec) -> Observation:
        """The first of these runs of the untransformed program, with all of them made and kept.

        The very first failure is the program's and propagates; one after that must not be blamed on a plan.
        """
        missing = [spec for spec in specs if spec not in self._kept]
        try:
            runs = watch(self._workload, [(Plan(), spec) for spec in missing], self._settings)
        except (WorkloadError, ProtectedFile) as error:
            if not self._kept:
                raise
            message = f"the untransformed program ran before and failed when it was run again: {error}"
            raise MeasurementError(f"{message}; it must train every time: fix what makes it fail") from error
        self._kept.update(zip(missing, runs, strict=True))
        return self._kept[specs[0]]

    def _is_changed_by_watching(self) -> bool:
        """The same seed gives other losses where only losses are taken."""
        first = self._baseline(self._spec(seed=0), self._unwatched())
        other = self._kept[self._unwatched()]
        return len(other.losses) != len(first.losses) or not distance(other, first).early <= _REPEATED

    def _is_irreproducible(self) -> bool:
        """The same seed twice gives other losses, watched or not: the program draws from entropy of its own."""
        first = self._baseline(self._unwatched(), self._unwatched(1))
        return not distance(self._kept[self._unwatched(1)], first).early <= _REPEATED

    def _paired(self, plan: Plan, seed: int) -> GateResult:
        """Step by step against the baseline, both drawing the same random numbers."""
        run = self._run(plan, self._spec(seed=seed))
        baseline = self._baseline(self._spec(seed=seed))
        if (lost := given_up_by(run, baseline)) is not None:
            return refused(lost)
        result = self._judged(plan, seed, run)
        return replace(
            result,
            verdicts=tuple(named(v, run, baseline) for v in result.verdicts),
            reached=sites(run),
            idle=nothing_acted(run),
        )

    def _judged(self, plan: Plan, seed: int, run: Observation) -> GateResult:
        baseline = self._baseline(self._spec(seed=seed))
        if not plan.at(Stage.STEP):  # a captured step calls no root
            calls_roots = not plan.at(Stage.PROGRAM)
            loads = bool(plan.at(Stage.DATA))
            order = differences_in_order(run, baseline, loads=loads, calls_roots=calls_roots)
            if order:
                return refused("; ".join(order))
            if calls_roots and draws_otherwise(run, baseline):
                if not fetches_draw(baseline):
                    return inconclusive(_UNEXPLAINED)
                return self._unpaired(plan, (_OTHER_DRAWS,))
        result = self._compared(plan, run, seed, "shared")
        if (holds(result) and not run.graphs) or not self._draws_random_numbers(seed):
            return result
        if run.graphs:
            return self._with_own_draws(plan, seed, run, result)
        return result if holds(result) else self._blamed_on_dropout(plan, seed, run, result)

    def _compared(self, plan: Plan, run: Observation, seed: int, draws: Draws) -> GateResult:
        tolerance = Tolerance.of(plan.roundoff)
        plain = self._spec(seed=seed, draws=draws)
        baseline = self._baseline(plain)
        found = distance(run, baseline, clear=tolerance.noise)
        quick = (
            self._step_verdict(plan, run, baseline, [], (found, _NO_NOISE)),
            drift_verdict((found, _NO_NOISE), tolerance),
        )
        if all(verdict.passed for verdict in quick):  # the floors alone pass it: no noise need be measured
            return GateResult(verdicts=quick, curves=loss_band(run, baseline, [baseline], tolerance))
        noisy = [self._spec(seed=seed, noise=(tolerance.noise, number), draws=draws) for number in _NOISE_SEEDS]
        self._baseline(*noisy)
        others = [self._kept[spec] for spec in noisy]
        noise = farthest([distance(other, baseline, clear=tolerance.noise) for other in others])
        verdicts = (
            self._step_verdict(plan, run, baseline, others, (found, noise)),
            drift_verdict((found, noise), tolerance),
        )
        return GateResult(verdicts=verdicts, curves=loss_band(run, baseline, others, tolerance))

    def _step_verdict(
        self,
        plan: Plan,
        run: Observation,
        baseline: Observation,
        noisy: list[Observation],
        distances: tuple[Distance, Distance],
    ) -> Verdict:
        """That of the steps, of what is clipped in them and of what the program saves between them."""
        tolerance = Tolerance.of(plan.roundoff)
        left_out = not_repeated(self._kept[self._unwatched()], self._kept[self._spec(seed=0)])
        saved = differences_in_values_of_saves(run, baseline, noisy, tolerance, left_out=left_out)
        lengths = differences_in_gradient_norms(run, baseline, noisy, tolerance)
        digits = () if is_reduced(plan.roundoff) else differences_in_digits(run, baseline)
        others = [*digits, *differences_in_norms(run, baseline, noisy, tolerance), *saved]
        return step_verdict(
            run, baseline, distances, tolerance, declared=_declared(plan), others=others, lengths=lengths
        )

    def _draws_random_numbers(self, seed: int) -> bool:
        """Whether another stream for its modules (dropout) changes the baseline's losses."""
        first, other = (self._spec(seed=seed, stream=stream) for stream in _STREAMS[:2])
        return distance(self._baseline(other, first), self._kept[first]).early > SAME

    def _with_own_draws(self, plan: Plan, seed: int, run: Observation, shared: GateResult) -> GateResult:
        """Compiled code draws from a stream of its own when it trains for real; dropout must still draw there.

        A step that is captured whole cannot share the draws of eager: where that comparison fails, the same one
        without dropout decides.
        """
        exact = shared
        if not holds(shared) and not self._differs_in_kind(plan, run, seed):
            silent = self._run(plan, self._spec(seed=seed, draws="silent"))
            exact = self._compared(plan, silent, seed, "silent")
        if not holds(exact):
            return self._blamed_on_dropout(plan, seed, run, shared)
        first = self._run(plan, self._spec(seed=seed, draws="own"))
        if exact is shared and are_same([run, first]):  # it draws what eager draws, also when it trains for real
            return exact
        streams = [self._spec(seed=seed, stream=stream, draws="own") for stream in _STREAMS]
        draws: Draws = "own" if self._kept[self._spec(seed=seed)].graphs else "shared"
        specs = [self._spec(seed=seed, stream=stream, draws=draws) for stream in _STREAMS]
        self._baseline(*specs)
        plain = [self._kept[spec] for spec in specs]
        runs = [first, *watch(self._workload, [(plan, spec) for spec in streams[1:]], self._settings)]
        if are_same(runs):
            return GateResult(verdicts=(_FROZEN, exact.verdicts[-1]), curves=exact.curves)
        spread = farthest([distance(other, mean_run(plain)) for other in plain])
        drift = drift_verdict((distance(mean_run(runs), mean_run(plain)), spread), OWN_NOISE)
        verdicts = exact.verdicts if drift.passed else (exact.verdicts[0], drift)
        note = "compiled code draws other random numbers: with equal ones (or none) the steps agree, and over three "
        return GateResult(
            verdicts=verdicts, curves=exact.curves, notes=(note + "of its own streams the mean losses do",)
        )

    def _blamed_on_dropout(self, plan: Plan, seed: int, run: Observation, result: GateResult) -> GateResult:
        """The same refusal, in plainer words where the losses no longer depend on the random stream."""
        if self._differs_in_kind(plan, run, seed):
            return result
        other = self._run(plan, self._spec(seed=seed, stream=1))
        if not are_same([run, other]):
            return result
        return GateResult(verdicts=(_FROZEN, *result.verdicts[1:]), curves=result.curves)

    def _run(self, plan: Plan, spec: ObservationSpec) -> Observation:
        return watch(self._workload, [(plan, spec)], self._settings)[0]

    def _differs_in_kind(self, plan: Plan, run: Observation, seed: int) -> bool:
        return any(differences_in_kind(run, self._kept[self._spec(seed=seed)], declared=_declared(plan)))

    def _unpaired(self, plan: Plan, notes: tuple[str, ...]) -> GateResult:
        """Single steps cannot be paired: several runs of each, and the interval of the difference of last losses.

        More runs are made until that decides, or there are enough of them.
        """
        plain: list[Observation] = []
        runs: list[Observation] = []
        drift = _TOO_FEW_RUNS
        for number in _UNPAIRED_RUNS:
            specs = [replace(self._spec(seed=n), shift=n) for n in range(len(runs), number)]
            self._baseline(*specs)
            plain += [self._kept[spec] for spec in specs]
            runs += watch(self._workload, [(plan, spec) for spec in specs], self._settings)
            drift = unpaired_verdict(runs, plain)
            if drift.outcome is not Outcome.INCONCLUSIVE:
                break
        kinds = "; ".join(differences_in_kind(runs[0], plain[0], declared=_declared(plan), is_paired=False))
        step = Verdict(
            gate="step",
            outcome=Outcome.FAIL if kinds else Outcome.PASS,
            message=kinds or _STILL_MOVES,
        )
        curves = loss_band(runs[0], plain[0], plain, OWN_NOISE)
        note = f"{len(runs)} runs of each were compared"
        result = GateResult(
            verdicts=(step, drift),
            curves=curves,
            notes=(*notes, note),
            reached=sites(runs[0]),
            idle=nothing_acted(runs[0]),
        )
        return with_coverage(result, self._seen(plain[0]))

    def _seen(self, baseline: Observation) -> str:
        return covered(baseline, seconds=self._further_seconds)

    def _too_little_seen(self, baseline: Observation) -> str | None:
        finite = int(np.isfinite(baseline.losses).sum())
        if len(baseline.losses) >= _FEWEST_STEPS and finite:
            return None
        return (
            f"{len(baseline.losses)} steps with {finite} finite losses were seen and {_FEWEST_STEPS} are needed; "
            "train longer, and differentiate the loss with backward()"
        )


_NO_NOISE = Distance(loss=0.0, gradients=0.0, scale=0.0, updates=0.0, early=0.0, late=0.0)
_FROZEN = Verdict(
    gate="step",
    outcome=Outcome.FAIL,
    message="its losses are the same whatever the random stream: dropout no longer drops",
)
_STILL_MOVES = "every parameter and statistic that moved before still moves; single steps cannot be compared"
_UNSEEDED = "the script seeds nothing: its timed runs see other numbers each time; verification seeded it, twice"
_TOO_FEW_RUNS = Verdict(gate="drift", outcome=Outcome.INCONCLUSIVE, message="no run was made")
_UNREPEATED = "the losses of two equal runs differ from the first step on"
_UNEXPLAINED = (
    "under the plan roots get other inputs, and no loader was seen to draw random numbers that would explain it: it is "
    "a data set with a generator of its own, or these are other samples"
)
_OTHER_DRAWS = (
    "under the plan the program draws other random numbers of the same law (its loaders' workers draw their own), so "
    "single steps cannot be compared"
)


def _declared(plan: Plan) -> frozenset[str]:
    return frozenset(name for transform in plan.transforms for name in changes_settings(transform))
