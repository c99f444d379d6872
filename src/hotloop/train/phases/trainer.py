"""An optimizer that takes some of its steps with predicted gradients."""

import time
from collections.abc import Callable, Mapping
from statistics import fmean
from typing import Any, SupportsFloat, overload

import torch
from torch import Tensor
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer

from hotloop.errors import PhaseError
from hotloop.train.phases.config import PhaseConfig
from hotloop.train.phases.flat_gradients import FlatGradients
from hotloop.train.phases.gradient_predictor import GradientPredictor
from hotloop.train.phases.gradient_ring import GradientStore
from hotloop.train.phases.gradient_sum import GradientSum, PlainSum
from hotloop.train.phases.guard import CorrelationGuard
from hotloop.train.phases.loss_history import LossHistory
from hotloop.train.phases.phase import TrainingPhase
from hotloop.train.phases.phase_step import PhaseStep
from hotloop.train.phases.prediction_quality import PredictionQuality
from hotloop.train.phases.predictor import PredictionCall, Predictor
from hotloop.train.phases.scheduler import PhaseScheduler
from hotloop.train.phases.stats import TrainerStats
from hotloop.train.phases.step_info import StepInfo
from hotloop.train.phases.step_times import StepTimes

_RECENT = 100  # losses of a phase in the mean of the stats


class PhaseTrainer:
    """Wraps `optimizer`: FULL, WARMUP and CORRECT steps run backward, PREDICT steps take a predicted gradient.

    `trainer.step(closure)` runs the closure (which computes a loss, calls backward and returns the loss) where the
    step needs it, `with trainer.step() as step:` leaves backward to the body; both clear the gradients first, clip all
    of them, and update. Who drives it by hand calls `begin_step`, then `record_full_gradients` (and in CORRECT
    `apply_correction`) or `get_predicted_gradients`, steps the optimizer, and calls `end_step`.

    With `guard` predictions are held against the true gradient at each CORRECT and at the last FULL step before a
    PREDICT, and a cosine under `config.min_correlation` sends the run back to FULL for a time that doubles. A check
    reads two numbers from the device; no other step reads any, but for a `scaler`'s. With a `scaler` the caller scales
    the loss, a true gradient that holds NaN or infinity is not kept, and predicted steps leave the scale alone.
    `store` keeps the gradients and `gradient_sum` those of one accumulated step; both are float32 where left out.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        config: PhaseConfig | None = None,
        *,
        predictor: str | Predictor | PredictionCall = "least_squares",
        guard: bool = True,
        scaler: GradScaler | None = None,
        store: GradientStore | None = None,
        gradient_sum: GradientSum | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.optimizer = optimizer
        self.config = config or PhaseConfig()
        self.scheduler = PhaseScheduler(self.config)
        self.loss_history = LossHistory(clock=clock)
        self._gradients = FlatGradients(optimizer)
        size, device = self._gradients.size, self._gradients.device
        self.predictor = GradientPredictor(predictor, size=size, device=device, store=store)
        self._flat = torch.zeros(size, device=device)
        self._sum = gradient_sum
        if gradient_sum is None and self.config.gradient_accumulation > 1:
            self._sum = PlainSum(size, device=device)
        limit = self.config.min_correlation
        if guard and limit is not None and not self.predictor.has_direction:
            raise ValueError(
                "coast predicts zeros, which have no cosine to guard; give guard=False, or min_correlation=None"
            )
        self._guard = CorrelationGuard(limit) if guard and limit is not None else None
        self._scaler = scaler
        self._quality = PredictionQuality()
        self._times = StepTimes(clock)
        self._info: StepInfo | None = None
        self._error: Tensor | None = None
        self._num_skipped = 0

    def begin_step(self) -> StepInfo:
        """The phase of the step that begins. Raises PhaseError where the last one was not ended."""
        threshold = self.config.residual_threshold
        is_due = threshold is not None and self._quality.last_error > threshold
        self._info = self.scheduler.begin_step(correction_due=is_due)
        self._error = None  # a correction belongs to the step that it was measured in
        self._times.begin()
        return self._info

    def should_compute_full(self) -> bool:
        """Whether the step that is open needs a backward pass. Raises PhaseError outside of a step."""
        return self._open_step().needs_backward

    def record_full_gradients(self, gradients: Mapping[str, Tensor] | None = None) -> None:
        """Keep the true gradients of this step: those of the parameters, or the ones given by name.

        Nothing is done where the guard has suspended prediction for so long that they would be forgotten unused.
        Raises PhaseError in PREDICT, and where no parameter has a gradient.
        """
        info = self._open_step()
        if not info.needs_backward:
            raise PhaseError("a PREDICT step has no true gradients to record; call get_predicted_gradients")
        if self.scheduler.num_suspended_steps > self.predictor.num_gradients:
            return
        if gradients is None:
            self._gradients.gather(self._flat)
        else:
            self._gradients.copy_from(gradients, self._flat)
        if self._scaler is not None and not bool(torch.isfinite(self._flat).all()):
            self._num_skipped += 1
            self.scheduler.suspend(1)  # the next step needs a gradient before any can be predicted
            return
        self._check(info)
        self.predictor.record(self._flat, info.total_step)

    def get_predicted_gradients(self) -> dict[str, Tensor]:
        """The predicted gradient of each parameter by name: views of one vector that the next prediction overwrites.

        Raises PhaseError where the step that is open is not PREDICT.
        """
        return self._gradients.by_name(self._predicted())

    def set_predicted_gradients(self) -> None:
        """Make the predicted gradient that of the parameters. Raises PhaseError where the step is not PREDICT."""
        self._gradients.scatter(self._predicted())

    def apply_correction(self, gradients: Mapping[str, Tensor] | None = None) -> None:
        """Add `correction_weight` times the error of the prediction to the true gradients of this CORRECT step.

        The predicted steps before moved the weights wrongly by about that much. It is added once, in place, to the
        gradients of the parameters or to those given by name; nothing is added where the guard found the prediction
        too far off for its error to mean something. Raises PhaseError outside of CORRECT.
        """
        if self._open_step().phase is not TrainingPhase.CORRECT:
            raise PhaseError("only a CORRECT step has an error to correct; check the phase of begin_step first")
        error, self._error = self._error, None
        if error is None:
            return
        if gradients is None:
            self._gradients.add(error, scale=self.config.correction_weight)
            return
        for name, view in self._gradients.by_name(error).items():
            if name in gradients:
                gradients[name].add_(view, alpha=self.config.correction_weight)

    def end_step(self, loss: SupportsFloat | None = None) -> None:
        """Count the step. A loss is kept for the history and for adaptation; a tensor is read only when needed."""
        info = self._open_step()
        if isinstance(loss, Tensor):
            loss = loss.detach()
        self._times.end(had_backward=info.needs_backward)
        self.scheduler.end_step(loss)
        if loss is not None:
            self.loss_history.record(loss, info.phase)
        self._info = None

    @overload
    def step(self) -> PhaseStep: ...

    @overload
    def step(self, closure: Callable[[], Tensor]) -> Tensor | None: ...

    def step(self, closure: Callable[[], Tensor] | None = None) -> PhaseStep | Tensor | None:
        """With a closure: one whole step, and its detached loss, None where the step was predicted. Without: a context.

        Raises PhaseError for a context where `gradient_accumulation` is above 1: only a closure can be called again.
        """
        if closure is not None:
            with PhaseStep(self) as step:
                if step.needs_backward:
                    step.loss = self._accumulated(closure)
            return step.loss if isinstance(step.loss, Tensor) else None
        if self._sum is not None:
            raise PhaseError("gradients are accumulated over calls of a closure; give step a closure")
        return PhaseStep(self)

    def finish_step(self, loss: SupportsFloat | None = None) -> None:
        """Predict, record or correct as the phase says, clip, update the weights, and end the step."""
        info, scaler = self._open_step(), self._scaler
        if info.needs_backward:
            if scaler is not None:
                scaler.unscale_(self.optimizer)
            self.record_full_gradients()
            if info.phase is TrainingPhase.CORRECT:
                self.apply_correction()
        else:
            self.set_predicted_gradients()
        if self.config.max_grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(self._gradients.parameters, self.config.max_grad_norm)
        if scaler is not None and info.needs_backward:
            scaler.step(self.optimizer)
            scaler.update()
        else:
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.end_step(loss)

    def abandon_step(self) -> None:
        """Forget that the open step was begun: the next `begin_step` begins it again."""
        self.scheduler.abandon_step()
        self._info = self._error = None

    def get_stats(self) -> TrainerStats:
        """Counts, ratios and means so far; reads the losses that were not read yet."""
        scheduler, history = self.scheduler, self.loss_history
        recent = {phase: [entry.loss for entry in history.of_phase(phase)[-_RECENT:]] for phase in TrainingPhase}
        return TrainerStats(
            total_steps=scheduler.total_step,
            cycles=scheduler.cycle,
            warmup_steps=scheduler.counts[TrainingPhase.WARMUP],
            full_steps=scheduler.counts[TrainingPhase.FULL],
            predict_steps=scheduler.counts[TrainingPhase.PREDICT],
            correct_steps=scheduler.counts[TrainingPhase.CORRECT],
            current_full_steps=scheduler.lengths.full,
            current_predict_steps=scheduler.lengths.predict,
            backward_ratio=scheduler.backward_ratio,
            num_suspensions=0 if self._guard is None else self._guard.num_suspensions,
            num_skipped=self._num_skipped,
            mean_prediction_error=self._quality.mean_error,
            mean_correlation=self._quality.mean_cosine,
            phase_mean_losses={str(phase): fmean(losses) for phase, losses in recent.items() if losses},
            time_ratio=self._times.ratio,
        )

    def reset(self) -> None:
        """As new; the weights and the optimizer's state stay."""
        self.scheduler.reset()
        self.predictor.clear()
        self.loss_history.clear()
        self._quality.reset()
        self._times.reset()
        if self._guard is not None:
            self._guard.reset()
        self._info, self._error, self._num_skipped = None, None, 0

    def state_dict(self) -> dict[str, Any]:
        """What the next steps depend on, in tensors and JSON types, so that `torch.load(weights_only=True)` reads it.

        Not the optimizer's state, times, or the loss history. Tensors are not copied. Raises PhaseError inside a step.
        """
        return {
            "scheduler": self.scheduler.state_dict(),
            "gradients": self._gradients.state_dict(),
            "predictor": self.predictor.state_dict(),
            "quality": self._quality.state_dict(),
            "guard": None if self._guard is None else self._guard.state_dict(),
            "num_skipped": self._num_skipped,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where another trainer was, in the middle of a phase too.

        Raises ValueError for a state of another config, other parameters, another predictor, or of a run with a guard
        where this one has none.
        """
        if (state["guard"] is None) is not (self._guard is None):
            raise ValueError("one of both runs has a guard and the other has none; build the trainer with the same")
        self._gradients.load_state_dict(state["gradients"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.predictor.load_state_dict(state["predictor"])
        self._quality.load_state_dict(state["quality"])
        if self._guard is not None:
            self._guard.load_state_dict(state["guard"])
        self._num_skipped = state["num_skipped"]

    def _open_step(self) -> StepInfo:
        if self._info is None:
            raise PhaseError("no step is open; call begin_step first")
        return self._info

    def _predicted(self) -> Tensor:
        info = self._open_step()
        if info.needs_backward:
            raise PhaseError(f"a {info.phase} step takes true gradients; call backward and record_full_gradients")
        return self.predictor.predict(info.total_step)

    def _check(self, info: StepInfo) -> None:
        is_correction = info.phase is TrainingPhase.CORRECT
        is_checked = self._guard is not None and self.scheduler.is_last_before_predict
        if not (is_correction or is_checked):
            return
        if not self.predictor.is_ready:
            self.scheduler.suspend(1)  # nothing to check yet, and nothing is predicted unchecked
            return
        check = self.predictor.check(self._flat, info.total_step)
        cosine, error = check.figures.tolist()
        self._quality.add(cosine=cosine, error=error)
        pause = 0 if self._guard is None else self._guard.judge(cosine)
        if pause:
            self.scheduler.suspend(pause)
        elif is_correction:
            self._error = check.error

    def _accumulated(self, closure: Callable[[], Tensor]) -> Tensor:
        """Run the closure as often as configured; the gradients become the mean of all calls."""
        if self._sum is None:
            with torch.enable_grad():
                return closure().detach()
        self._sum.reset()
        losses: list[Tensor] = []
        for _ in range(self.config.gradient_accumulation):
            self.optimizer.zero_grad(set_to_none=True)
            with torch.enable_grad():
                losses.append(closure().detach())
            self._sum.accumulate(self._gradients.gather(self._flat))
        self._gradients.scatter(self._sum.mean(self._flat))
        return torch.stack(losses).mean()
