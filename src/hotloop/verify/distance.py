"""How far one observed run is from another, as plain numbers and as words; no run is started here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from hotloop.worker.observation import Observation

Curve = NDArray[np.float64]
Mask = NDArray[np.bool_]
SAME = 1e-6  # root mean square of relative differences of losses

_WINDOW = 10
_CLEAR = 1e-3  # share of the whole gradient below which a parameter's own is left out of the scale
_TINY = 1e-300
_LOST = 0.02  # share of the elements that may stand still though the baseline moves them


@dataclass(frozen=True, kw_only=True)
class Distance:
    """Relative distances of a run from the baseline; every figure is 0 for equal runs.

    `loss`, `gradients`, `scale` and `updates` are of the first step: `gradients` is the 2-norm of the difference of the
    whole gradient (estimated from sketches), `scale` how far the parameters' gradient norms are from the baseline's
    ratio of 1 (interquartile mean, steady where batch-norm makes rounding chaotic), `updates` the 2-norm over
    parameters of the differences of their norms.
    `early` and `late` are root mean squares of the relative loss difference over the first and the last ten steps.
    """

    loss: float
    gradients: float
    scale: float
    updates: float
    early: float
    late: float


def distance(run: Observation, baseline: Observation, *, clear: float = 0.0) -> Distance:
    """How far `run` is from `baseline`; infinite where a loss is finite in only one of them.

    Updates are compared only where the gradient is more than `clear` of the whole gradient: below one rounding of it
    (a bias before batch-norm) a gradient is noise, which Adam turns into a full step of random sign.
    """
    deviation = relative_losses(run, baseline)
    return Distance(
        loss=float(abs(deviation[0])),
        gradients=_gradient_error(run, baseline),
        scale=_scale_error(run, baseline),
        updates=_relative(run.updates[0], baseline.updates[0], among=_significant(baseline.gradients[0], clear)),
        early=_rms(deviation[:_WINDOW]),
        late=_rms(deviation[-_WINDOW:]),
    )


def farthest(distances: Sequence[Distance]) -> Distance:
    """The largest of each figure."""
    return Distance(**{field.name: max(getattr(d, field.name) for d in distances) for field in fields(Distance)})


def are_same(runs: Sequence[Observation]) -> bool:
    """Whether their first losses are equal but for what is far below any noise."""
    return all(distance(run, runs[0]).early <= SAME for run in runs[1:])


def mean_run(runs: Sequence[Observation]) -> Observation:
    """The mean of losses, norms and shares over the steps that all made, without sketches."""
    steps = min(len(run.losses) for run in runs)

    def rows(name: str) -> tuple[tuple[float, ...], ...]:
        stacked = np.mean([np.asarray(getattr(run, name)[:steps]) for run in runs], axis=0)
        return tuple(tuple(row) for row in stacked.tolist())

    return replace(
        runs[0],
        losses=tuple(np.mean([run.losses[:steps] for run in runs], axis=0).tolist()),
        gradients=rows("gradients"),
        updates=rows("updates"),
        buffers=rows("buffers"),
        moved=tuple(np.mean([run.moved[:steps] for run in runs], axis=0).tolist()),
        graphs=0,
        sketches=(),
    )


def relative_losses(run: Observation, baseline: Observation) -> Curve:
    """(loss - baseline loss) / baseline loss for each step both made; a floor of 1 % of the mean keeps zeros apart."""
    steps = min(len(run.losses), len(baseline.losses))
    ours, theirs = np.asarray(run.losses[:steps]), np.asarray(baseline.losses[:steps])
    scale = np.abs(theirs) + 0.01 * float(np.nanmean(np.abs(theirs)))
    with np.errstate(invalid="ignore"):
        deviation = (ours - theirs) / scale
    deviation[np.isnan(ours) & np.isnan(theirs)] = 0.0
    deviation[np.isfinite(ours) != np.isfinite(theirs)] = np.inf
    return deviation


def differences_in_kind(run: Observation, baseline: Observation) -> Iterator[str]:
    """What no rounding explains: other switches, missing gradients, parameters or statistics that stand still."""
    yield from _switched(run, baseline)
    if run.names != baseline.names:
        yield f"it trains {len(run.names)} parameters in place of {len(baseline.names)}"
        return
    for index, name in enumerate(run.names):
        if run.gradients[0][index] < 0 <= baseline.gradients[0][index]:
            yield f"parameter {name} gets no gradient"
        elif run.gradients[0][index] == 0 < baseline.gradients[0][index]:
            yield f"parameter {name} gets a gradient of zero"
    yield from _lost(run, baseline)
    yield from _still("parameter", run.names, np.asarray(run.updates), np.asarray(baseline.updates))
    statistics = tuple(f"number {index}" for index in range(len(baseline.buffers[0])))
    if len(run.buffers[0]) == len(statistics):
        yield from _still(
            "buffer (a batch-norm statistic)", statistics, np.asarray(run.buffers), np.asarray(baseline.buffers)
        )


def _switched(run: Observation, baseline: Observation) -> Iterator[str]:
    for name, (training, rate) in baseline.switches.items():
        found = run.switches.get(name)
        if found is not None and found[0] != training:
            yield f"module {name} runs in {'training' if found[0] else 'evaluation'} mode"
        if found is not None and found[1] != rate:
            yield f"module {name} drops out {found[1]:g} in place of {rate:g}"


def _still(what: str, names: Sequence[str], moved: Curve, baseline: Curve) -> Iterator[str]:
    """Those that do not move in a step in which they clearly move in the baseline."""
    steps = min(len(moved), len(baseline))
    if not names or not steps:
        return
    clear = baseline[:steps] > 1e-3 * baseline[:steps].max(axis=0, keepdims=True)
    stuck = clear & (baseline[:steps] > 0) & (moved[:steps] == 0)
    for index in map(int, np.flatnonzero(stuck.any(axis=0))):
        step = int(np.flatnonzero(stuck[:, index])[0]) + 1
        yield f"{what} {names[index]} does not move in step {step} ({int(stuck[:, index].sum())} of {steps} steps)"


def _lost(run: Observation, baseline: Observation) -> Iterator[str]:
    """Updates below one unit in the last place of a parameter's type change nothing: what pure bf16 does."""
    steps = min(len(run.moved), len(baseline.moved))
    ours, theirs = (sum(r.moved[:steps]) / max(steps, 1) for r in (run, baseline))
    if ours < theirs - _LOST:
        yield f"{ours:.1%} of the weights move in a step in place of {theirs:.1%}: small updates are lost"


def _gradient_error(run: Observation, baseline: Observation) -> float:
    ours, theirs = _sketches(run, baseline)
    return float(np.linalg.norm(ours - theirs) / max(float(np.linalg.norm(theirs)), _TINY)) if len(theirs) else 0.0


def _scale_error(run: Observation, baseline: Observation) -> float:
    ours, theirs = np.asarray(run.gradients[0]), np.asarray(baseline.gradients[0])
    if len(ours) != len(theirs):
        return float("inf")
    both = _significant(baseline.gradients[0], _CLEAR) & (ours > 0)
    ratios = np.sort(ours[both] / theirs[both])
    return abs(float(ratios[len(ratios) // 4 : len(ratios) - len(ratios) // 4].mean()) - 1) if len(ratios) else 0.0


def _sketches(run: Observation, baseline: Observation) -> tuple[Curve, Curve]:
    """Of all parameters that have a gradient in both; where only one has one is a difference in kind."""
    both = [(a, b) for a, b in zip(run.sketches, baseline.sketches, strict=False) if a and b]
    if not both:
        return np.zeros(0), np.zeros(0)
    ours, theirs = zip(*both, strict=True)
    return np.concatenate(ours), np.concatenate(theirs)


def _significant(gradients: Sequence[float], clear: float) -> Mask:
    sizes = np.maximum(np.asarray(gradients), 0.0)
    return sizes > clear * float(np.linalg.norm(sizes))


def _relative(ours: Sequence[float], theirs: Sequence[float], *, among: Mask | None = None) -> float:
    if len(ours) != len(theirs) or not ours:
        return 0.0 if not ours and not theirs else float("inf")
    a, b = np.asarray(ours), np.asarray(theirs)
    both = (a >= 0) & (b >= 0) & (True if among is None else among)
    if not both.any():
        return 0.0
    return float(np.linalg.norm(a[both] - b[both]) / max(float(np.linalg.norm(b[both])), _TINY))


def _rms(values: Curve) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
