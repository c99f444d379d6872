"""What a phase trainer has done so far."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class TrainerStats:
    """Counts of steps by phase, and two ratios that are not the same.

    `backward_ratio` is steps for each backward pass: a useless predictor reaches the same. `time_ratio` is the mean
    measured time of a step with a true gradient over that of all steps, None before both were seen; neither says how
    soon a target is met. `mean_prediction_error` is the error of predictions relative to the true gradient,
    `mean_correlation` their cosine, both over the checks so far, None before the first; `num_suspensions` is how
    often the guard went back to FULL, `num_skipped` the true gradients that were not finite. `phase_mean_losses` has
    the mean of the last 100 losses of each phase that had one. Times do not count when two are compared.
    """

    total_steps: int
    cycles: int
    warmup_steps: int
    full_steps: int
    predict_steps: int
    correct_steps: int
    current_full_steps: int
    current_predict_steps: int
    backward_ratio: float
    num_suspensions: int = 0
    num_skipped: int = 0
    mean_prediction_error: float | None = None
    mean_correlation: float | None = None
    phase_mean_losses: Mapping[str, float] = field(default_factory=dict[str, float])
    time_ratio: float | None = field(default=None, compare=False)

    def __str__(self) -> str:
        time = "not measured" if self.time_ratio is None else f"{self.time_ratio:.3f}"
        return (
            f"Steps: {self.total_steps} | Cycles: {self.cycles} | Backward ratio: {self.backward_ratio:.3f} | "
            f"Time ratio: {time} | Full: {self.full_steps} | Predict: {self.predict_steps} | "
            f"Correct: {self.correct_steps}"
        )
