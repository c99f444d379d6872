"""Many steps of a recipe under a change, held against eager's: as near as eager with noisy weights stays.

What `calibrate.py` measures drift by. hotloop itself judges drift in worker processes (`hotloop.verify.drift`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hotloop.train.loop import train
from hotloop.verdict import Outcome, Verdict
from hotloop.verify.calibration import Deviation
from hotloop.verify.fresh_job import Build, Prepare, fresh_job
from hotloop.verify.tolerance import is_reduced
from hotloop.verify.torch_settings import preserved_settings
from hotloop.worker.noise import add_weight_noise

WINDOW = 10
LOST = 0.02  # share of the elements that may stand still though eager moves them; pure bf16 loses 6 to 28 %
HOPELESS = 0.5  # relative drift of the calibration above which a window tells nothing


@dataclass(frozen=True, kw_only=True)
class Path:
    """One run, step by step: loss, 2-norm of the change of all weights, share of the elements that changed."""

    losses: tuple[float, ...]
    lengths: tuple[float, ...]
    moved: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Band:
    """What a precision may add: noise for the calibration, the factor over it, floors in relative terms."""

    noise: float
    factor: float
    loss_floor: float
    length_floor: float

    @staticmethod
    def of(roundoff: float) -> "Band":
        """Reduced precision: 3 x the drift of one rounding of weight noise. fp32: 10 x that of noise of 2**-18.

        Noise of one fp32 rounding is too small to calibrate by: on a small residual net its drift over 30 steps lay
        between 2e-6 and 1e-2, as one activation crossed zero or not. The floor of a reduced loss is an eighth of a
        rounding (it is a mean over many roundings); that of a length covers parameters whose gradient is pure
        rounding noise, which Adam turns into steps of random sign.
        """
        if is_reduced(roundoff):
            return Band(noise=roundoff, factor=3.0, loss_floor=roundoff / 8, length_floor=2 * roundoff)
        return Band(noise=2.0**-18, factor=10.0, loss_floor=2.0**-20, length_floor=2.0**-11)


def walk(build: Build, *, steps: int, prepare: Prepare | None = None, noise: float = 0.0, noise_seed: int = 0) -> Path:
    """The path of a fresh job over `steps` steps with dropout silent, under the changes that `prepare` makes."""
    losses: list[float] = []
    lengths: list[float] = []
    moved: list[float] = []
    with preserved_settings():
        job = fresh_job(build, prepare=prepare)
        add_weight_noise(job.model, noise, noise_seed, dtype=torch.float64)
        before = _flat(job.model)

        def on_step(loss: Tensor) -> None:
            nonlocal before
            after = _flat(job.model)
            change = after - before
            losses.append(float(loss))
            lengths.append(float(change.norm()))
            moved.append(int(change.count_nonzero()) / change.numel())
            before = after

        torch.manual_seed(0)
        train(job, steps=steps, on_step=on_step)
    return Path(losses=tuple(losses), lengths=tuple(lengths), moved=tuple(moved))


def _flat(model: torch.nn.Module) -> Tensor:
    # In float64, in which the difference of two weights is exact and no change is too small to count.
    return torch.cat([weight.detach().flatten().double() for weight in model.parameters()])


def check_trajectory(
    build: Build,
    plan_apply: Prepare,
    *,
    steps: int = 30,
    roundoff: float,
    seeds: Sequence[int] = (1, 2, 3),
) -> Verdict:
    """Whether losses and step lengths stay in the band that noisy weights span, in every ten steps of the run.

    INCONCLUSIVE where eager's own losses are not finite, or weight noise alone throws the loss off so far that
    nothing can be told. What the plan or a step raises is raised. Raises ValueError for fewer than two seeds or ten
    steps.
    """
    if len(seeds) < 2 or steps < WINDOW:
        raise ValueError(f"got {len(seeds)} seeds and {steps} steps; at least 2 and {WINDOW} are needed: give more")
    band = Band.of(roundoff)
    eager = walk(build, steps=steps)
    noisy = [walk(build, steps=steps, noise=band.noise, noise_seed=seed) for seed in seeds]
    doubt = _doubt(eager, noisy)
    if doubt:
        return Verdict(gate="drift", outcome=Outcome.INCONCLUSIVE, message=doubt)
    candidate = walk(build, steps=steps, prepare=plan_apply)
    deviations = [
        *_windows("loss", [eager.losses, candidate.losses, *(n.losses for n in noisy)], band, band.loss_floor),
        *_windows(
            "step length", [eager.lengths, candidate.lengths, *(n.lengths for n in noisy)], band, band.length_floor
        ),
    ]
    return _verdict(deviations, _halts(eager, candidate), band)


def _verdict(deviations: list[Deviation], halts: list[str], band: Band) -> Verdict:
    worst = max(deviations, key=lambda deviation: deviation.excess)
    numbers = {deviation.quantity: deviation.error for deviation in deviations}
    numbers |= {f"{deviation.quantity} allowed": deviation.allowed for deviation in deviations}
    numbers["worst excess"] = worst.excess
    if halts:
        return Verdict(gate="drift", outcome=Outcome.FAIL, message=halts[0], numbers=numbers)
    figures = f"{worst.quantity} drifts by {worst.error:.1e} (rms), allowed is {worst.allowed:.1e}"
    reason = f"({band.factor:g} x what weight noise of {band.noise:.1e} causes, plus rounding)"
    if worst.excess > 1:
        return Verdict(gate="drift", outcome=Outcome.FAIL, message=f"{figures} {reason}", numbers=numbers)
    message = f"losses and step lengths stay in the band; nearest to its limit: {figures}"
    return Verdict(gate="drift", outcome=Outcome.PASS, message=message, numbers=numbers)


def _doubt(eager: Path, noisy: Sequence[Path]) -> str:
    for step, loss in enumerate(eager.losses, start=1):
        if not math.isfinite(loss):
            return f"eager's own loss is {loss} at step {step}, so nothing can be compared; train from another seed"
    drift = min(max(_drift(eager.losses, path.losses, window) for path in noisy) for window in _spans(eager.losses))
    if not drift < HOPELESS:
        return f"weight noise alone throws the loss off by {drift:.0%} in every ten steps; use gate parity"
    return ""


def _halts(eager: Path, candidate: Path) -> list[str]:
    found: list[str] = []
    for step, (length, here, loss) in enumerate(
        zip(eager.lengths, candidate.lengths, candidate.losses, strict=True), 1
    ):
        if not math.isfinite(loss):
            found.append(f"the loss is {loss} at step {step}, eager's is finite")
        if length > 0 and here == 0:
            found.append(f"step {step} changes no weight, eager's does")
    mine, theirs = (sum(path.moved) / len(path.moved) for path in (candidate, eager))
    if mine < theirs - LOST:
        found.append(f"{mine:.1%} of the weights move in a step, {theirs:.1%} in eager: small updates are lost")
    return found


def _windows(name: str, paths: Sequence[Sequence[float]], band: Band, floor: float) -> list[Deviation]:
    eager, candidate, *noisy = paths
    return [
        Deviation(
            quantity=f"{name} of steps {window.start + 1} to {window.stop}",
            error=_drift(eager, candidate, window),
            allowed=band.factor * (max(_drift(eager, other, window) for other in noisy) + floor),
        )
        for window in _spans(eager)
    ]


def _spans(values: Sequence[float]) -> list[range]:
    starts = [*range(0, len(values) - WINDOW, WINDOW), len(values) - WINDOW]
    return [range(start, start + WINDOW) for start in starts]


def _drift(eager: Sequence[float], other: Sequence[float], window: range) -> float:
    # A loss that comes near zero must not make every deviation look infinite.
    least = 1e-3 * max(map(abs, eager)) or 1.0
    squares = [((other[i] - eager[i]) / max(abs(eager[i]), least)) ** 2 for i in window]
    return math.sqrt(math.fsum(squares) / len(squares)) if all(map(math.isfinite, squares)) else math.inf
