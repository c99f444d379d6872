"""How far one observed run is from another, as plain numbers; no run is started here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from hotloop.worker.observation import Observation, OptimizerSteps, Rows

Curve = NDArray[np.float64]
Mask = NDArray[np.bool_]
SAME = 1e-6  # root mean square of relative differences of losses

_WINDOW = 10
_CLEAR = 1e-3  # share of the whole gradient below which a parameter's own is left out of the scale
_TINY = 1e-300


@dataclass(frozen=True, kw_only=True)
class Distance:
    """Relative distances of a run from the baseline; every figure is 0 for equal runs, and the worst of all optimizers.

    Of the first step are: `loss`; `gradients`, the 2-norm of the difference of the whole gradient (estimated from
    sketches); `scale`, how far the parameters' gradient norms are from the baseline's ratio of 1 (interquartile mean,
    steady where batch-norm makes rounding chaotic); `updates`, the 2-norm over parameters of the differences of their
    norms; `placement`, the 2-norm of the difference of the whole update, which sees where it landed.
    `buffers` is the largest step's 2-norm of the differences of how far buffers moved. `later_gradients`,
    `later_scale` and `later_placement` are the worst of the steps after the first at which sketches were taken.
    `early` and `late` are root mean squares of the relative loss difference over the first and the last ten steps.
    """

    loss: float
    gradients: float
    scale: float
    updates: float
    early: float
    late: float
    placement: float = 0.0
    buffers: float = 0.0
    later_gradients: float = 0.0
    later_scale: float = 0.0
    later_placement: float = 0.0


def distance(run: Observation, baseline: Observation, *, clear: float = 0.0) -> Distance:
    """How far `run` is from `baseline`; infinite where a loss is finite in only one of them.

    Updates are compared only where the gradient is more than `clear` of the whole gradient: below one rounding of it
    (a bias before batch-norm) a gradient is noise, which Adam turns into a full step of random sign.
    """
    deviation = relative_losses(run, baseline)
    pairs = list(zip(run.optimizers, baseline.optimizers, strict=False))
    figures = [_steps_apart(ours, theirs, clear) for ours, theirs in pairs]
    return Distance(
        loss=float(abs(deviation[0])),
        early=_rms(deviation[:_WINDOW]),
        late=_rms(deviation[-_WINDOW:]),
        buffers=_buffers_apart(run, baseline),
        **{name: max((figure[name] for figure in figures), default=0.0) for name in _OF_STEPS},
    )


_OF_STEPS = ("gradients", "scale", "updates", "placement", "later_gradients", "later_scale", "later_placement")


def farthest(distances: Sequence[Distance]) -> Distance:
    """The largest of each figure."""
    return Distance(**{field.name: max(getattr(d, field.name) for d in distances) for field in fields(Distance)})


def are_same(runs: Sequence[Observation]) -> bool:
    """Whether their first losses are equal but for what is far below any noise."""
    return all(distance(run, runs[0]).early <= SAME for run in runs[1:])


def mean_run(runs: Sequence[Observation]) -> Observation:
    """The mean of the losses over the steps that all made, and nothing else."""
    steps = min(len(run.losses) for run in runs)
    losses = tuple(np.mean([run.losses[:steps] for run in runs], axis=0).tolist())
    return replace(runs[0], losses=losses, each_loss=tuple((loss,) for loss in losses), optimizers=(), buffers=())


def relative_losses(run: Observation, baseline: Observation) -> Curve:
    """(loss - baseline loss) / baseline loss for each step both made, of the loss of that step that is farthest off.

    Losses are paired in the order in which they were differentiated; a floor of 1 % of the mean keeps zeros apart.
    Where neither is finite they are equal, where one is they are infinitely far apart.
    """
    steps = min(len(run.losses), len(baseline.losses))
    width = max((len(row) for row in (*run.each_loss[:steps], *baseline.each_loss[:steps])), default=0)
    if not width:
        return np.zeros(steps)
    ours, theirs = (_rectangle(r.each_loss[:steps], width) for r in (run, baseline))
    with np.errstate(invalid="ignore", over="ignore"):
        sizes = np.where(np.isfinite(theirs), np.abs(theirs), 0.0)
        floor = sizes.sum(axis=0) / np.maximum(np.isfinite(theirs).sum(axis=0), 1)
        deviation = (ours - theirs) / (sizes + 0.01 * floor + _TINY)
    deviation[~np.isfinite(ours) & ~np.isfinite(theirs)] = 0.0
    deviation[np.isfinite(ours) != np.isfinite(theirs)] = np.inf
    worst = np.abs(deviation).argmax(axis=1)
    return deviation[np.arange(steps), worst]


def steps_both_made(ours: OptimizerSteps, theirs: OptimizerSteps) -> int:
    """How many of their recorded steps can be compared."""
    return min(len(ours.updates), len(theirs.updates)) if len(ours.names) == len(theirs.names) else 0


def _steps_apart(ours: OptimizerSteps, theirs: OptimizerSteps, clear: float) -> Mapping[str, float]:
    steps = steps_both_made(ours, theirs)
    if not steps:
        return dict.fromkeys(_OF_STEPS, float("inf"))
    sketched = sorted(step for step in theirs.update_sketches if step in ours.update_sketches)
    found = {step: _step_apart(ours, theirs, step, clear) for step in {1, *sketched}}
    later = [found[step] for step in sketched if step > 1]
    names = ("gradients", "scale", "placement")
    return {
        **found[1],
        "updates": _relative(ours.updates[0], theirs.updates[0], among=_significant(theirs.gradients[0], clear)),
        **{f"later_{name}": max((one[name] for one in later), default=0.0) for name in names},
    }


def _step_apart(ours: OptimizerSteps, theirs: OptimizerSteps, step: int, clear: float) -> dict[str, float]:
    sizes = theirs.gradients[theirs.row_of(step)]
    return {
        "gradients": _sketches_apart(ours.gradient_sketches.get(step, ()), theirs.gradient_sketches.get(step, ())),
        "scale": _scale_error(ours.gradients[ours.row_of(step)], sizes),
        "placement": _sketches_apart(
            ours.update_sketches.get(step, ()), theirs.update_sketches.get(step, ()), _significant(sizes, clear)
        ),
    }


def _buffers_apart(run: Observation, baseline: Observation) -> float:
    """Of the steps in which they clearly move: at least a tenth as far as in the farthest step."""
    if run.buffer_names != baseline.buffer_names:
        return 0.0  # a difference in kind, or a run of which only losses were taken
    steps = min(len(run.buffers), len(baseline.buffers))
    if not steps or not baseline.buffer_names:
        return 0.0
    ours, theirs = (_rectangle(r.buffers[:steps], len(r.buffer_names)) for r in (run, baseline))
    finite = np.isfinite(ours) & np.isfinite(theirs)
    gaps = np.linalg.norm(np.where(finite, ours - theirs, 0.0), axis=1)
    sizes = np.linalg.norm(np.where(finite, theirs, 0.0), axis=1)
    clear = sizes > 0.1 * sizes.max()
    return float((gaps[clear] / sizes[clear]).max()) if clear.any() else 0.0


def _sketches_apart(ours: Rows, theirs: Rows, among: Mask | None = None) -> float:
    """Of all parameters that have a sketch in both; where only one has one is a difference in kind."""
    kept = [True] * len(theirs) if among is None else among.tolist()
    both = [(a, b) for a, b, keep in zip(ours, theirs, kept, strict=False) if a and b and keep]
    both = [(a, b) for a, b in both if np.isfinite(a).all() or np.isfinite(b).all()]
    if not both:
        return 0.0
    mine, other = (np.concatenate(part) for part in zip(*both, strict=True))
    gap, size = float(np.linalg.norm(mine - other)), float(np.linalg.norm(other))
    return gap / max(size, _TINY) if gap else 0.0


def _scale_error(ours: Sequence[float], theirs: Sequence[float]) -> float:
    if len(ours) != len(theirs):
        return float("inf")
    mine, other = np.asarray(ours), np.asarray(theirs)
    both = _significant(theirs, _CLEAR) & (mine > 0) & np.isfinite(mine) & np.isfinite(other)
    ratios = np.sort(mine[both] / other[both])
    return abs(float(ratios[len(ratios) // 4 : len(ratios) - len(ratios) // 4].mean()) - 1) if len(ratios) else 0.0


def _significant(gradients: Sequence[float], clear: float) -> Mask:
    sizes = np.maximum(np.asarray(gradients), 0.0)
    finite = np.where(np.isfinite(sizes), sizes, 0.0)
    return sizes > clear * float(np.linalg.norm(finite))


def _relative(ours: Sequence[float], theirs: Sequence[float], *, among: Mask) -> float:
    a, b = np.asarray(ours), np.asarray(theirs)
    both = among & (np.isfinite(a) | np.isfinite(b))
    if not both.any():
        return 0.0
    return float(np.linalg.norm(a[both] - b[both]) / max(float(np.linalg.norm(b[both])), _TINY))


def _rectangle(rows: Rows, width: int) -> Curve:
    return np.asarray([(*row, *[np.nan] * (width - len(row))) for row in rows], dtype=np.float64)


def _rms(values: Curve) -> float:
    return float(np.sqrt(np.mean(np.square(values)))) if len(values) else 0.0
