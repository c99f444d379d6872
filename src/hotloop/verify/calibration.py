"""How far from the fp64 reference a step may be: measured on eager and on eager with weights that carry noise.

Source of the rule and its factors: ten workloads, gradient error of autocast 0.7 to 1.6 times that of weight noise
of one bf16 rounding; a fixed tolerance cannot serve a net whose gradient moves by 0.4 % and one that moves by 37 %.
"""

import dataclasses
import math
from collections.abc import Mapping

import torch
from torch import Tensor

from hotloop.verify.snapshot import Build, Named, Origin, Snapshot, origin_of, take_step

REDUCED = 2.0**-12  # a coarser roundoff than this is reduced precision: bf16 2**-9, TF32 and fp16 2**-11, fp32 2**-24
NOISES = 8  # one draw of noise can be a tenth of the next: measured on an LSTM whose gradient is mostly one bias


@dataclasses.dataclass(frozen=True, kw_only=True)
class Precision:
    """One class of rounding: `unit` is one rounding, `noise` what the weights get, `factor` what is allowed of it."""

    unit: float
    noise: float
    factor: float

    @staticmethod
    def of(roundoff: float, *, epsilon: float) -> "Precision":
        """Reduced: twice the error of weights with one rounding of noise; else: ten times eager's own error.

        `epsilon` is that of the weights' dtype: no step can be nearer to fp64 than its half.
        """
        if roundoff > REDUCED:
            return Precision(unit=roundoff, noise=roundoff, factor=2.0)
        return Precision(unit=max(roundoff, epsilon / 2), noise=0.0, factor=10.0)

    @property
    def cause(self) -> str:
        """The yardstick in words."""
        noisy = f"that weight noise of {self.noise:.1e} causes" if self.noise else "of eager"
        return f"{self.factor:g} x the error {noisy}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Deviation:
    """One error beside what is allowed of it, both relative to the size of the reference."""

    quantity: str
    error: float
    allowed: float

    @property
    def excess(self) -> float:
        """Above 1 the error is too large; an error that is not a number is infinitely too large."""
        return self.error / self.allowed if math.isfinite(self.error) else math.inf


@dataclasses.dataclass(frozen=True, kw_only=True)
class Calibration:
    """The fp64 reference, eager, and the runs whose distance from the reference is the yardstick."""

    reference: Snapshot
    eager: Snapshot
    samples: tuple[Snapshot, ...]
    precision: Precision
    origin: Origin

    @staticmethod
    def measure(build: Build, roundoff: float) -> "Calibration":
        """Takes the reference step, the eager step and, for reduced precision, the noisy ones."""
        origin = origin_of(build)
        eager = take_step(build, origin=origin)
        precision = Precision.of(roundoff, epsilon=eager.epsilon)
        seeds = range(1, NOISES + 1) if precision.noise else ()
        noisy = [take_step(build, perturb=precision.noise, perturb_seed=seed, origin=origin) for seed in seeds]
        return Calibration(
            reference=take_step(build, dtype=torch.float64, origin=origin),
            eager=eager,
            samples=tuple(noisy) or (eager,),
            precision=precision,
            origin=origin,
        )

    def deviations(self, candidate: Snapshot) -> list[Deviation]:
        """Errors of loss, gradients, updates, buffers and optimizer state, each with what is allowed."""
        masks = self.significant()
        truths = _quantities(self.reference, masks)
        samples = [_quantities(sample, masks) for sample in self.samples]
        found = [self._loss(candidate)]
        for quantity, values in _quantities(candidate, masks).items():
            if values and quantity in truths:
                found += self._compare(quantity, values, truths[quantity], [sample[quantity] for sample in samples])
        return found

    def significant(self) -> dict[str, Tensor]:
        """Per parameter, the elements whose gradient is ten times clear of the noise.

        Only there can updates be compared: an Adam step turns a gradient of pure rounding noise into a full step of
        random sign.
        """
        masks: dict[str, Tensor] = {}
        for name, truth in self.reference.gradients.items():
            errors = [(sample.gradients[name] - truth).abs() for sample in self.samples if name in sample.gradients]
            noise = torch.stack(errors).amax(0) if errors else torch.zeros_like(truth)
            masks[name] = truth.abs() > 10 * torch.maximum(noise, noise.square().mean().sqrt())
        return masks

    def _loss(self, candidate: Snapshot) -> Deviation:
        truth = self.reference.loss
        size = max(abs(truth), 1e-12)
        own = max(abs(sample.loss - truth) / size for sample in self.samples)
        return Deviation(quantity="loss", error=abs(candidate.loss - truth) / size, allowed=self._allowed(own))

    def _compare(self, quantity: str, values: Named, truth: Named, samples: list[Named]) -> list[Deviation]:
        size = _norm(truth)
        if size == 0.0:
            return []
        # Second moments hold the square of a gradient, so twice its error.
        slack = 1.0 if quantity in ("gradient", "update") else 2.0
        own = [_errors(sample, truth) for sample in samples]
        errors = _errors(values, truth)
        total = max(_length(sample) for sample in own) / size
        tilt = max(abs(_scale(sample, truth)) for sample in samples)
        found = [
            Deviation(quantity=quantity, error=_length(errors) / size, allowed=slack * self._allowed(total)),
            Deviation(
                quantity=f"{quantity} scale",
                error=abs(_scale(values, truth)),
                allowed=slack * self._allowed(tilt),
            ),
        ]
        return found + [
            Deviation(
                quantity=f"{quantity} of {name}",
                error=error / size,
                # Twice the slack of the total: one of a hundred parameters has bad luck. The last term is for
                # gradients that are zero but for rounding, such as that of a bias before batch-norm.
                allowed=2
                * slack
                * self._allowed(max(sample.get(name, 0.0) for sample in own) / size, truth[name], size),
            )
            for name, error in errors.items()
        ]

    def _allowed(self, own: float, truth: Tensor | None = None, size: float = 1.0) -> float:
        # Autocast rounds both operands of a product where the noise touches one: hence two units on top.
        share = 1.0 if truth is None else float(truth.norm()) / size + 0.1
        return self.precision.factor * (own + 2 * self.precision.unit * share)


def _quantities(snapshot: Snapshot, masks: Named) -> dict[str, dict[str, Tensor]]:
    updates = {name: value * masks[name] if name in masks else value for name, value in snapshot.updates.items()}
    found = {"gradient": dict(snapshot.gradients), "update": updates, "buffer change": dict(snapshot.buffers)}
    for name, value in snapshot.state.items():
        parameter, _, key = name.rpartition(".")
        found.setdefault(f"optimizer state {key}", {})[parameter] = value
    return found


def _errors(values: Named, truth: Named) -> dict[str, float]:
    return {name: float((values[name] - true).norm()) for name, true in truth.items() if name in values}


def _length(errors: Mapping[str, float]) -> float:
    return math.sqrt(math.fsum(error**2 for error in errors.values()))


def _norm(values: Named) -> float:
    return _length({name: float(value.norm()) for name, value in values.items()})


def _scale(values: Named, truth: Named) -> float:
    # How much longer than the truth, along the truth: noise hardly shows here, a factor does.
    along = math.fsum(float((values[name] * true).sum()) for name, true in truth.items() if name in values)
    whole = math.fsum(float(true.square().sum()) for name, true in truth.items() if name in values)
    return along / whole - 1.0 if whole else 0.0
