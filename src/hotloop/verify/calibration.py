"""How far from the fp64 reference a step may be: measured on eager and on eager with weights that carry noise."""

import dataclasses
import math
from collections.abc import Mapping

import torch
from torch import Tensor

from hotloop.verify.fresh_job import Build
from hotloop.verify.job_state import JobState, TensorsByName
from hotloop.verify.recorded_step import RecordedStep, find_start_state, record_step
from hotloop.verify.tolerance import StepTolerance

NOISES = 8  # one draw of noise can be a tenth of the next: measured on an LSTM whose gradient is mostly one bias


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
    """The fp64 reference, eager, and the steps whose distance from the reference sets what is allowed."""

    reference: RecordedStep
    eager: RecordedStep
    samples: tuple[RecordedStep, ...]
    tolerance: StepTolerance
    start_state: JobState

    @staticmethod
    def measure(build: Build, roundoff: float) -> "Calibration":
        """Takes the reference step, the eager step and, for reduced precision, the noisy ones."""
        start = find_start_state(build)
        eager = record_step(build, start_state=start)
        tolerance = StepTolerance.of(roundoff, epsilon=eager.epsilon)
        seeds = range(1, NOISES + 1) if tolerance.noise else ()
        noisy = [record_step(build, noise=tolerance.noise, noise_seed=seed, start_state=start) for seed in seeds]
        return Calibration(
            reference=record_step(build, dtype=torch.float64, start_state=start),
            eager=eager,
            samples=tuple(noisy) or (eager,),
            tolerance=tolerance,
            start_state=start,
        )

    def deviations(self, candidate: RecordedStep) -> list[Deviation]:
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

    def _loss(self, candidate: RecordedStep) -> Deviation:
        truth = self.reference.loss
        size = max(abs(truth), 1e-12)
        own = max(abs(sample.loss - truth) / size for sample in self.samples)
        return Deviation(quantity="loss", error=abs(candidate.loss - truth) / size, allowed=self._allowed(own))

    def _compare(
        self, quantity: str, values: TensorsByName, truth: TensorsByName, samples: list[TensorsByName]
    ) -> list[Deviation]:
        size = _length({name: float(value.norm()) for name, value in truth.items()})
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
        return self.tolerance.factor * (own + 2 * self.tolerance.unit * share)


def _quantities(step: RecordedStep, masks: TensorsByName) -> dict[str, dict[str, Tensor]]:
    updates = {name: value * masks[name] if name in masks else value for name, value in step.updates.items()}
    found = {"gradient": dict(step.gradients), "update": updates, "buffer change": dict(step.buffers)}
    for name, value in step.state.items():
        parameter, _, key = name.rpartition(".")
        found.setdefault(f"optimizer state {key}", {})[parameter] = value
    return found


def _errors(values: TensorsByName, truth: TensorsByName) -> dict[str, float]:
    return {name: float((values[name] - true).norm()) for name, true in truth.items() if name in values}


def _length(errors: Mapping[str, float]) -> float:
    return math.sqrt(math.fsum(error**2 for error in errors.values()))


def _scale(values: TensorsByName, truth: TensorsByName) -> float:
    # How much longer than the truth, along the truth: noise hardly shows here, a factor does.
    along = math.fsum(float((values[name] * true).sum()) for name, true in truth.items() if name in values)
    whole = math.fsum(float(true.square().sum()) for name, true in truth.items() if name in values)
    return along / whole - 1.0 if whole else 0.0
