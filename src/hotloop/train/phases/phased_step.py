"""Phase training in the one loop: the step of a job, some of them with predicted gradients."""

from typing import Any

from hotloop.compile.eager import detached
from hotloop.errors import PhaseError
from hotloop.train.phases.config import PhaseConfig
from hotloop.train.phases.predictor import PredictionCall, Predictor
from hotloop.train.phases.trainer import PhaseTrainer
from hotloop.workload import Job, Loss


class PhasedStep:
    """`job.step = PhasedStep(job, config)`: the loop goes on as before, and `trainer` tells what it did.

    A PREDICT step looks at no batch. Its loss is that of the last true gradient with a count of 0, so it enters no
    mean; a report over PREDICT steps alone has NaN. The job's own `clip_norm` holds, and must not differ from
    `config.max_grad_norm`. Raises ValueError where it does, PhaseError for accumulation, which a loop cannot do.
    """

    def __init__(
        self,
        job: Job,
        config: PhaseConfig | None = None,
        *,
        predictor: str | Predictor | PredictionCall = "least_squares",
        guard: bool = True,
    ) -> None:
        config = config or PhaseConfig()
        if config.gradient_accumulation > 1:
            raise PhaseError("a loop hands out each batch once, so gradient_accumulation must be 1; use PhaseTrainer")
        if config.max_grad_norm is None:
            config = config.replace(max_grad_norm=job.clip_norm)
        elif config.max_grad_norm != job.clip_norm:
            raise ValueError(
                f"max_grad_norm is {config.max_grad_norm}, and clip_norm of the job {job.clip_norm}; "
                "leave max_grad_norm out"
            )
        self.trainer = PhaseTrainer(job.optimizer, config, predictor=predictor, guard=guard)
        self._model, self._loss = job.model, job.strategy.loss
        self._last: Loss | None = None

    def __call__(self, batch: Any) -> Loss:
        """One step; the loss is detached, and no more is read from the device than the trainer reads."""
        with self.trainer.step() as step:
            if step.needs_backward:
                loss = self._loss(self._model, batch)
                loss.value.backward()
                self._last = detached(loss)
                step.loss = self._last.value
        assert self._last is not None, "the first step is never predicted"
        return self._last if step.needs_backward else self._last._replace(count=0)
