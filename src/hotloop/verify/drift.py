"""Gates 1 and 2 for any program, script or recipe: its steps and its loss curve stay inside the baseline's own noise.

The noise is measured: the baseline is run again from weights that carry the rounding of the plan's precision (bf16:
2**-9, otherwise 2**-18), and with other random streams where its modules draw random numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hotloop.errors import MeasurementError, ProtectedFile, WorkloadError
from hotloop.transform import Plan
from hotloop.trial import Curves
from hotloop.verdict import Outcome, Verdict
from hotloop.verify.comparison import Distance, differences_in_kind, distance, farthest, relative_losses
from hotloop.worker.draws import Draws
from hotloop.worker.observation import Observation, watch
from hotloop.worker.process import Settings
from hotloop.worker.spec import ObservationSpec
from hotloop.workload import Workload

_COARSE = 2.0**-12
_NOISE_SEEDS = (1, 2, 3, 4)  # two understate the spread: they refused a sound bf16 plan on a ResNet
_STREAMS = (0, 1, 2)
_UNPAIRED_RUNS = 4
_FEWEST_STEPS = 6
_SAME = 1e-6


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """What a precision may cost: noise that stands for it, multiples of that noise's effect, and floors.

    `scale` is how far the size of the gradients may be off, whatever the noise does.
    """

    noise: float
    step_factor: float
    drift_factor: float
    floor: float
    scale: float
    update_floor: float


# specs: step gradients within 10 x fp32's own error, or 2 x bf16's; last ten losses within 3 x. Here 3 x bf16's, since
# noise on the weights stands for the rounding inside: autocast moved the gradient by 0.6 to 1.5 times what it does on
# an MLP, a GPT, a conv net and a ResNet (by a third of the gradient there: batch-norm makes rounding chaotic).
# The scale of the gradients has a fixed limit: autocast moved it by 0.7 % at most, and gradients times 1.05 under
# autocast by 4.6 to 5.2 %. Updates have a floor of their own: gradients that are zero but for rounding (the bias of
# attention's keys) become Adam steps of any size.
# fp32: noise of 2**-22 gave drifts from 2e-6 to 1.3e-2 over three seeds on a ResNet, 2**-18 gave even ones.
_FP32 = Tolerance(noise=2.0**-18, step_factor=10.0, drift_factor=3.0, floor=1e-5, scale=0.01, update_floor=2.0**-11)
_BF16 = Tolerance(noise=2.0**-9, step_factor=3.0, drift_factor=3.0, floor=1e-3, scale=0.02, update_floor=0.02)


@dataclass(frozen=True, kw_only=True)
class GateResult:
    """Verdicts of both gates, the curves behind them, and what a reader should know."""

    verdicts: tuple[Verdict, ...]
    curves: Curves = field(default_factory=Curves)
    notes: tuple[str, ...] = ()


class DriftGate:
    """Checks plans against the untransformed workload; runs of the baseline are made once and kept."""

    def __init__(self, workload: Workload, settings: Settings, *, steps: int = 30) -> None:
        self._workload = workload
        self._settings = settings
        self._steps = steps
        self._kept: dict[ObservationSpec, Observation] = {}

    def prepare(self) -> None:
        """Run the baseline twice. Raises as workers do where the untransformed program itself does not train."""
        self._baseline(self._order(seed=0), self._again())

    def check(self, plan: Plan) -> GateResult:
        """Whether `plan` trains the same model. Raises as workers do where it crashes."""
        baseline = self._baseline(self._order(seed=0))
        if len(baseline.losses) < _FEWEST_STEPS or not np.isfinite(baseline.losses).any():
            return self._cannot(baseline)
        notes = () if baseline.seeds_itself else (_UNSEEDED,)
        if self._is_irreproducible():
            return self._unpaired(plan, notes)
        results = [self._paired(plan, seed) for seed in ((0,) if baseline.seeds_itself else (0, 1))]
        worst = next((result for result in results if not all(v.passed for v in result.verdicts)), results[0])
        return GateResult(verdicts=worst.verdicts, curves=worst.curves, notes=(*notes, *worst.notes))

    def _order(
        self, *, seed: int, stream: int = 0, noise: tuple[float, int] = (0.0, 0), draws: Draws = "shared"
    ) -> ObservationSpec:
        return ObservationSpec(
            steps=self._steps, seed=seed, stream=stream, noise=noise[0], noise_seed=noise[1], draws=draws
        )

    def _baseline(self, *orders: ObservationSpec) -> Observation:
        """The first of these runs of the untransformed program, with all of them made and kept.

        The very first failure is the program's and propagates; one after that must not be blamed on a plan.
        """
        missing = [order for order in orders if order not in self._kept]
        try:
            runs = watch(self._workload, [(Plan(), order) for order in missing], self._settings)
        except (WorkloadError, ProtectedFile) as error:
            if not self._kept:
                raise
            message = f"the untransformed program ran before and failed when it was run again: {error}"
            raise MeasurementError(f"{message}; it must train every time: fix what makes it fail") from error
        self._kept.update(zip(missing, runs, strict=True))
        return self._kept[orders[0]]

    def _is_irreproducible(self) -> bool:
        """The same seed twice gives other losses: the program draws from entropy of its own."""
        first = self._baseline(self._order(seed=0))
        return distance(self._baseline(self._again()), first).early > 1e-3

    def _again(self) -> ObservationSpec:
        return self._order(seed=0, noise=(0.0, -1))

    def _paired(self, plan: Plan, seed: int) -> GateResult:
        """Step by step against the baseline, both drawing the same random numbers."""
        run = self._run(plan, self._order(seed=seed))
        result = self._compared(plan, run, seed, "shared")
        if (_holds(result) and not run.graphs) or not self._draws_random_numbers(seed):
            return result
        if run.graphs:
            return self._with_own_draws(plan, seed, run, result)
        return result if _holds(result) else self._blamed_on_dropout(plan, seed, run, result)

    def _compared(self, plan: Plan, run: Observation, seed: int, draws: Draws) -> GateResult:
        allowed = _BF16 if plan.roundoff >= _COARSE else _FP32
        plain = self._order(seed=seed, draws=draws)
        baseline = self._baseline(plain)
        found = distance(run, baseline, clear=allowed.noise)
        quick = (_step_verdict(run, baseline, (found, _NONE), allowed), _drift_verdict((found, _NONE), allowed))
        if all(verdict.passed for verdict in quick):  # the floors alone pass it: no noise need be measured
            return GateResult(verdicts=quick, curves=_curves(run, baseline, [baseline], allowed))
        noisy = [self._order(seed=seed, noise=(allowed.noise, number), draws=draws) for number in _NOISE_SEEDS]
        self._baseline(*noisy)
        noise = farthest([distance(self._kept[order], baseline, clear=allowed.noise) for order in noisy])
        verdicts = (_step_verdict(run, baseline, (found, noise), allowed), _drift_verdict((found, noise), allowed))
        return GateResult(
            verdicts=verdicts, curves=_curves(run, baseline, [self._kept[order] for order in noisy], allowed)
        )

    def _draws_random_numbers(self, seed: int) -> bool:
        """Whether another stream for its modules (dropout) changes the baseline's losses."""
        first, other = (self._order(seed=seed, stream=stream) for stream in _STREAMS[:2])
        return distance(self._baseline(other, first), self._kept[first]).early > _SAME

    def _with_own_draws(self, plan: Plan, seed: int, run: Observation, shared: GateResult) -> GateResult:
        """Compiled code draws from a stream of its own when it trains for real; dropout must still draw there.

        A step that is captured whole cannot share the draws of eager: where that comparison fails, the same one
        without dropout decides, as in the calibration of the survey.
        """
        exact = shared
        if not _holds(shared) and not any(differences_in_kind(run, self._kept[self._order(seed=seed)])):
            silent = self._run(plan, self._order(seed=seed, draws="silent"))
            exact = self._compared(plan, silent, seed, "silent")
        if not _holds(exact):
            return self._blamed_on_dropout(plan, seed, run, shared)
        first = self._run(plan, self._order(seed=seed, draws="own"))
        if exact is shared and _are_same([run, first]):  # it draws what eager draws, also when it trains for real
            return exact
        streams = [self._order(seed=seed, stream=stream, draws="own") for stream in _STREAMS]
        draws: Draws = "own" if self._kept[self._order(seed=seed)].graphs else "shared"
        orders = [self._order(seed=seed, stream=stream, draws=draws) for stream in _STREAMS]
        self._baseline(*orders)
        plain = [self._kept[order] for order in orders]
        runs = [first, *watch(self._workload, [(plan, order) for order in streams[1:]], self._settings)]
        if _are_same(runs):
            return GateResult(verdicts=(_FROZEN, exact.verdicts[-1]), curves=exact.curves)
        spread = farthest([distance(other, _mean(plain)) for other in plain])
        drift = _drift_verdict((distance(_mean(runs), _mean(plain)), spread), _STREAMED)
        verdicts = exact.verdicts if drift.passed else (exact.verdicts[0], drift)
        note = "compiled code draws other random numbers: with equal ones (or none) the steps agree, and over three "
        return GateResult(
            verdicts=verdicts, curves=exact.curves, notes=(note + "of its own streams the mean losses do",)
        )

    def _blamed_on_dropout(self, plan: Plan, seed: int, run: Observation, result: GateResult) -> GateResult:
        """The same refusal, in plainer words where the losses no longer depend on the random stream."""
        if any(differences_in_kind(run, self._kept[self._order(seed=seed)])):
            return result
        other = self._run(plan, self._order(seed=seed, stream=1))
        if not _are_same([run, other]):
            return result
        return GateResult(verdicts=(_FROZEN, *result.verdicts[1:]), curves=result.curves)

    def _run(self, plan: Plan, order: ObservationSpec) -> Observation:
        return watch(self._workload, [(plan, order)], self._settings)[0]

    def _unpaired(self, plan: Plan, notes: tuple[str, ...]) -> GateResult:
        """Runs cannot be paired: several of each, and the interval of the difference of their last losses."""
        orders = [self._order(seed=0, noise=(0.0, -1 - number)) for number in range(_UNPAIRED_RUNS)]
        self._baseline(*orders)
        plain = [self._kept[order] for order in orders]
        runs = watch(self._workload, [(plan, order) for order in orders], self._settings)
        kinds = "; ".join(differences_in_kind(runs[0], plain[0]))
        step = Verdict(
            gate="step",
            outcome=Outcome.FAIL if kinds else Outcome.PASS,
            message=kinds
            or "every parameter and statistic that moved before still moves; single steps cannot be compared",
        )
        note = (
            f"the losses of two equal runs differ from the first step on: {_UNPAIRED_RUNS} runs of each were compared"
        )
        curves = _curves(runs[0], plain[0], plain, _STREAMED)
        return GateResult(verdicts=(step, _unpaired_verdict(runs, plain)), curves=curves, notes=(*notes, note))

    def _cannot(self, baseline: Observation) -> GateResult:
        finite = int(np.isfinite(baseline.losses).sum())
        message = (
            f"{len(baseline.losses)} steps with {finite} finite losses were seen and {_FEWEST_STEPS} are needed; "
            "train longer, and differentiate the loss with backward()"
        )
        return GateResult(verdicts=(Verdict(gate="drift", outcome=Outcome.INCONCLUSIVE, message=message),))


_STREAMED = Tolerance(noise=0.0, step_factor=3.0, drift_factor=3.0, floor=1e-3, scale=0.02, update_floor=0.02)
_FROZEN = Verdict(
    gate="step",
    outcome=Outcome.FAIL,
    message="its losses are the same whatever the random stream: dropout no longer drops",
)
_UNSEEDED = "the script seeds nothing: its timed runs see other numbers each time; verification seeded it, twice"


def _holds(result: GateResult) -> bool:
    return all(verdict.passed for verdict in result.verdicts)


def _are_same(runs: Sequence[Observation]) -> bool:
    return all(distance(run, runs[0]).early <= _SAME for run in runs[1:])


_NONE = Distance(loss=0.0, gradients=0.0, scale=0.0, updates=0.0, early=0.0, late=0.0)


def _step_verdict(
    run: Observation, baseline: Observation, distances: tuple[Distance, Distance], allowed: Tolerance
) -> Verdict:
    found, noise = distances
    kinds = list(differences_in_kind(run, baseline))
    floors = {"loss": allowed.floor, "gradients": allowed.floor, "updates": allowed.update_floor}
    limits = {name: allowed.step_factor * getattr(noise, name) + floor for name, floor in floors.items()}
    limits["scale"] = allowed.scale
    over = [name for name, limit in limits.items() if not getattr(found, name) <= limit]
    numbers = {f"{name}_error": getattr(found, name) for name in limits} | {f"{n}_limit": v for n, v in limits.items()}
    if kinds:
        return Verdict(gate="step", outcome=Outcome.FAIL, message="; ".join(kinds[:3]), numbers=numbers)
    figures = ", ".join(
        f"{name} off by {getattr(found, name):.1e} (limit {limit:.1e})" for name, limit in limits.items()
    )
    outcome = Outcome.FAIL if over else Outcome.PASS
    return Verdict(gate="step", outcome=outcome, message=f"first step: {figures}", numbers=numbers)


def _drift_verdict(distances: tuple[Distance, Distance], allowed: Tolerance) -> Verdict:
    found, noise = distances
    limits = {name: allowed.drift_factor * getattr(noise, name) + allowed.floor for name in ("early", "late")}
    numbers = {f"{name}_rms": getattr(found, name) for name in limits} | {f"{n}_limit": v for n, v in limits.items()}
    message = (
        f"loss drifts by {found.early:.1e} over the first ten steps (limit {limits['early']:.1e}) "
        f"and {found.late:.1e} over the last ten (limit {limits['late']:.1e})"
    )
    passed = all(getattr(found, name) <= limit for name, limit in limits.items())
    return Verdict(gate="drift", outcome=Outcome.PASS if passed else Outcome.FAIL, message=message, numbers=numbers)


def _unpaired_verdict(runs: list[Observation], plain: list[Observation]) -> Verdict:
    from scipy import stats

    ours, theirs = ([float(np.nanmean(run.losses[-10:])) for run in group] for group in (runs, plain))
    start = float(np.mean([np.nanmean(run.losses[:3]) for run in plain]))
    margin = 0.05 * max(start - float(np.mean(theirs)), 0.2 * abs(float(np.mean(theirs))))
    bounds = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.95)
    difference = f"[{bounds.low:+.3g}, {bounds.high:+.3g}]"
    message = f"last losses differ by {difference} over {len(runs)} runs of each (margin {margin:.3g})"
    outcome = Outcome.FAIL if bounds.low > margin else Outcome.INCONCLUSIVE
    outcome = Outcome.PASS if bounds.high <= margin else outcome
    numbers = {"low": float(bounds.low), "high": float(bounds.high), "margin": margin}
    return Verdict(gate="drift", outcome=outcome, message=message, numbers=numbers)


def _mean(runs: list[Observation]) -> Observation:
    steps = min(len(run.losses) for run in runs)

    def rows(name: str) -> tuple[tuple[float, ...], ...]:
        stacked = np.mean([np.asarray(getattr(run, name)[:steps]) for run in runs], axis=0)
        return tuple(tuple(row) for row in stacked.tolist())

    losses = np.mean([run.losses[:steps] for run in runs], axis=0).tolist()
    first = runs[0]
    return Observation(
        losses=tuple(losses),
        names=first.names,
        gradients=rows("gradients"),
        updates=rows("updates"),
        buffers=rows("buffers"),
        moved=tuple(np.mean([run.moved[:steps] for run in runs], axis=0).tolist()),
        switches=first.switches,
        seeds_itself=first.seeds_itself,
        applied=first.applied,
        refused=first.refused,
    )


def _curves(run: Observation, baseline: Observation, noisy: list[Observation], allowed: Tolerance) -> Curves:
    """The baseline's losses with the band that its noise spans, widened to the largest deviation of five steps."""
    deviations = np.max([np.abs(relative_losses(other, baseline)) for other in noisy], axis=0)
    padded = np.pad(deviations, 2, mode="edge")
    widest = np.max([padded[i : i + len(deviations)] for i in range(5)], axis=0)
    losses = np.asarray(baseline.losses[: len(deviations)])
    reach = (allowed.drift_factor * widest + allowed.floor) * np.abs(losses)
    return Curves(
        baseline=tuple(losses.tolist()),
        low=tuple((losses - reach).tolist()),
        high=tuple((losses + reach).tolist()),
        plan=tuple(run.losses[: len(deviations)]),
    )
