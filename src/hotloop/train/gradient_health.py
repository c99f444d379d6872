"""Gradient health: norms of each layer over a run of steps, kept on the device and read once."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

# Steps between two folds: a fold is two dozen small operators, which this many steps share.
_FOLD_EVERY = 64
_ABSENT = -1.0  # a parameter without a gradient in that step; norms are never negative
# Below and above these norms a layer counts as vanishing or exploding: the thresholds of esper-lite's collector.
_VANISHING, _EXPLODING = 1e-7, 100.0

# S steps, P parameters, L layers


@dataclass(frozen=True, kw_only=True)
class LayerHealth:
    """The gradient 2-norms of one layer over `steps` steps in which it had gradients.

    `mean` and `max` are over the steps in which the norm was finite (NaN where there was none). `worst_step` counts
    from 0: the first step that was not finite, else the first with the largest norm; -1 where no step had a gradient.
    A norm that overflows float32 counts as not finite.
    """

    steps: int
    mean: float
    max: float
    num_nonfinite: int
    num_vanishing: int
    num_exploding: int
    worst_step: int
    num_parameters: int

    @property
    def score(self) -> float:
        """1 - 0.5 * share of vanishing - 0.8 * share of exploding or non-finite steps, at least 0; NaN for no step."""
        if not self.steps:
            return math.nan
        bad = 0.5 * self.num_vanishing + 0.8 * (self.num_exploding + self.num_nonfinite)
        return max(0.0, 1.0 - bad / self.steps)


@dataclass(frozen=True, kw_only=True)
class GradientReport:
    """Gradient norms of a run of steps: of all parameters together (`total`) and of each layer by name.

    They were `taken` after a loss scale was divided out and before clipping, for steps of this package.
    """

    steps: int
    total: LayerHealth
    layers: Mapping[str, LayerHealth]
    taken: str = "after unscaling, before clipping"

    @property
    def is_healthy(self) -> bool:
        """Whether every norm was finite and none exploded."""
        return not (self.total.num_nonfinite or self.total.num_exploding)

    def norm_ratio(self, part: str, whole: str) -> float:
        """How strong the mean gradient of layer `part` is beside that of `whole`, both for one parameter.

        Mean norms divided by the square roots of the numbers of parameters; NaN where either has no finite step.
        Raises KeyError for a layer that there is not.
        """
        first, second = self.layers[part], self.layers[whole]
        per_parameter = second.mean / math.sqrt(max(second.num_parameters, 1))
        if not per_parameter > 0.0:
            return math.nan
        return first.mean / math.sqrt(max(first.num_parameters, 1)) / per_parameter


@dataclass(frozen=True, kw_only=True)
class GradientTotals:
    """Sums on the host; one row for all parameters together, then one a layer.

    Columns: steps with a gradient, sum of finite norms, largest finite norm (-1: none), non-finite, vanishing and
    exploding steps, worst norm (infinity where not finite), its step.
    """

    steps: int
    names: tuple[str, ...]
    sizes: tuple[int, ...]
    rows: tuple[tuple[float, ...], ...]

    def after(self, earlier: "GradientTotals | None") -> "GradientTotals":
        """Both runs of steps together; `earlier` came first and saw the same layers."""
        if earlier is None or not earlier.steps:
            return self
        rows = [_joined(mine, theirs, earlier.steps) for mine, theirs in zip(self.rows, earlier.rows, strict=True)]
        return replace(self, steps=self.steps + earlier.steps, rows=tuple(rows))

    def report(self) -> GradientReport:
        """The figures for a reader."""
        found = [_layer(row, size) for row, size in zip(self.rows, self.sizes, strict=True)]
        layers = dict(zip(self.names, found[1:], strict=True))
        return GradientReport(steps=self.steps, total=found[0], layers=layers)


class GradientHealth:
    """Watches the gradients of a model's trainable parameters over steps; observing reads nothing from the device.

    A step costs one `_foreach_norm` and one list append; steps are folded together every 64. `layer_of` gives the layer
    of a parameter's name (its module's name, unless given). Pass it as `Job.gradients`; in a loop of your own call
    `observe()` after backward and `GradScaler.unscale_`, before clipping, and `read()` once an epoch. Parameters that
    are added to the model later are not seen: make a new one.
    Raises ValueError for a model with nothing to train.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        layer_of: Callable[[str], str] | None = None,
        vanishing: float = _VANISHING,
        exploding: float = _EXPLODING,
    ) -> None:
        named = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
        if not named:
            raise ValueError("the model has no parameter that requires gradients; there is nothing to watch")
        chosen = [(layer_of or _module_of)(name) for name, _ in named]
        self._names = tuple(dict.fromkeys(chosen))
        self._parameters = [parameter for _, parameter in named]
        device = self._parameters[0].device
        places = {name: index for index, name in enumerate(self._names)}
        self._layer_of_P = torch.tensor([places[name] for name in chosen]).to(device)
        sizes = [sum(p.numel() for n, p in zip(chosen, self._parameters, strict=True) if n == name) for name in places]
        self._sizes = (sum(sizes), *sizes)
        self._limits = (vanishing, exploding)
        self._absent = torch.full((), _ABSENT, device=device)
        self._pending: list[Tensor] = []
        self._rows: Tensor | None = None
        self._steps = 0

    def observe(self) -> None:
        """Take in the gradients that the parameters hold now, as those of one step."""
        grads = [parameter.grad for parameter in self._parameters]
        given = [grad for grad in grads if grad is not None]
        norms = torch._foreach_norm(given, 2.0, dtype=torch.float32) if given else ()  # pyright: ignore
        if len(given) < len(grads):
            found = iter(norms)
            norms = [self._absent if grad is None else next(found) for grad in grads]
        self._pending.extend(norms)
        if len(self._pending) >= _FOLD_EVERY * len(grads):
            self._fold()

    def read(self) -> GradientReport:
        """Everything since the last read, by one transfer from the device; then starts again from nothing."""
        return self.unpacked(self.packed().tolist()).report()

    def packed(self) -> Tensor:
        """The sums since the last read as one float64 vector on the device; empty before the first step."""
        if self._pending:
            self._fold()
        return torch.empty(0, dtype=torch.float64) if self._rows is None else self._rows.flatten()

    def unpacked(self, values: Sequence[float]) -> GradientTotals:
        """The totals that those numbers are; then starts again from nothing."""
        height = len(self._sizes)
        width = len(values) // height or len(_NOTHING)
        cut = [tuple(values[row * width : (row + 1) * width]) or _NOTHING for row in range(height)]
        totals = GradientTotals(steps=self._steps, names=self._names, sizes=self._sizes, rows=tuple(cut))
        self._rows, self._steps = None, 0
        return totals

    @torch.no_grad()
    def _fold(self) -> None:
        norms_SP = torch.stack(self._pending).view(-1, len(self._parameters)).double()
        self._pending = []
        is_there_SP = norms_SP >= 0.0
        is_there_SP |= norms_SP.isnan()
        squares_SP = norms_SP.square().where(is_there_SP, 0.0)
        shape = (len(norms_SP), len(self._names))
        squares_SL = squares_SP.new_zeros(shape).index_add_(1, self._layer_of_P, squares_SP)
        seen_SL = squares_SP.new_zeros(shape).index_add_(1, self._layer_of_P, is_there_SP.double())
        norms = torch.cat([squares_SL.sum(1, keepdim=True), squares_SL], dim=1).sqrt()
        seen = torch.cat([seen_SL.sum(1, keepdim=True), seen_SL], dim=1) > 0.0
        rows = _folded(norms, seen, first=self._steps, limits=self._limits)
        self._steps += len(norms_SP)
        self._rows = rows if self._rows is None else _joined_on_device(self._rows, rows)


_NOTHING = (0.0, 0.0, -1.0, 0.0, 0.0, 0.0, -1.0, -1.0)


def _module_of(name: str) -> str:
    return name.rpartition(".")[0] or name


def _folded(norms_SL: Tensor, seen_SL: Tensor, *, first: int, limits: tuple[float, float]) -> Tensor:
    """One row a layer, with the columns of GradientTotals."""
    finite_SL = norms_SL.isfinite() & seen_SL
    kept_SL = norms_SL.where(finite_SL, -1.0)
    worst_SL = kept_SL.where(finite_SL | ~seen_SL, math.inf)
    worst_L, step_L = worst_SL.max(0)  # of equal ones the first
    columns = [
        seen_SL.sum(0),
        norms_SL.where(finite_SL, 0.0).sum(0),
        kept_SL.amax(0),
        (seen_SL & ~finite_SL).sum(0),
        (finite_SL & (norms_SL < limits[0])).sum(0),
        (finite_SL & (norms_SL > limits[1])).sum(0),
        worst_L,
        (step_L + first).where(worst_L >= 0.0, -1),
    ]
    return torch.stack([column.double() for column in columns], dim=1)


def _joined_on_device(before: Tensor, now: Tensor) -> Tensor:
    worst = torch.where((now[:, 6:7] > before[:, 6:7]), now[:, 6:], before[:, 6:])
    sums = before + now
    largest = torch.maximum(before[:, 2:3], now[:, 2:3])
    return torch.cat([sums[:, :2], largest, sums[:, 3:6], worst], dim=1)


def _joined(now: tuple[float, ...], before: tuple[float, ...], offset: int) -> tuple[float, ...]:
    sums = [a + b for a, b in zip(now, before, strict=True)]
    worst = (now[6], now[7] + offset) if now[6] > before[6] else before[6:]
    return (*sums[:2], max(now[2], before[2]), *sums[3:6], *worst)


def _layer(row: tuple[float, ...], size: int) -> LayerHealth:
    finite = row[0] - row[3]
    return LayerHealth(
        steps=int(row[0]),
        mean=row[1] / finite if finite else math.nan,
        max=row[2] if finite else math.nan,
        num_nonfinite=int(row[3]),
        num_vanishing=int(row[4]),
        num_exploding=int(row[5]),
        worst_step=int(row[7]),
        num_parameters=size,
    )
