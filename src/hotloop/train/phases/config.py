"""Settings of phase training, checked when they are made."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, Self, get_args

Mode = Literal["legacy", "deterministic"]

# Least values of the settings that count something.
_LEAST = {
    "full_steps": 1,
    "predict_steps": 0,
    "warmup_steps": 1,
    "adaptation_window": 20,  # the means of its first and its last ten losses are compared
    "gradient_accumulation": 1,
}


@dataclass(frozen=True, kw_only=True)
class PhaseConfig:
    """How long each phase lasts, and what is done with predictions.

    Schedule: `mode` "legacy" begins with FULL, "deterministic" with `warmup_steps` of WARMUP; then `full_steps` true
    gradients, `predict_steps` predicted ones with a CORRECT each `correct_every` (None: none), and again. A CORRECT
    takes one of the `predict_steps`. With `predict_steps=0` nothing is ever predicted.
    Adaptation: at each entry into FULL the last `adaptation_window` losses move both lengths where they rose by more
    than `loss_threshold` or fell by more than 5 %.
    Gradients: at CORRECT the true gradient gets `correction_weight` times the error of the prediction, and the phases
    go back to FULL where their cosine is under `min_correlation` (None: never). A relative error over
    `residual_threshold` brings the next CORRECT at once (deterministic mode; None: never). `max_grad_norm` limits the
    2-norm of all gradients of every step, predicted ones too; None, which is the default, limits nothing.
    `gradient_accumulation` is the number of calls of a closure for one true gradient.
    Raises ValueError for every value that is not allowed.
    """

    mode: Mode = "legacy"
    full_steps: int = 10
    predict_steps: int = 40
    correct_every: int | None = 10
    warmup_steps: int = 10
    adaptive_phases: bool = True
    loss_threshold: float = 0.1
    adaptation_window: int = 100
    correction_weight: float = 0.5
    min_correlation: float | None = 0.8
    residual_threshold: float | None = None
    max_grad_norm: float | None = None
    gradient_accumulation: int = 1

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise ValueError(f"mode: got {self.mode!r}; allowed are {', '.join(get_args(Mode))}")
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise ValueError(f"{name}: got {value!r}; an integer of at least {least} is allowed")
        every = self.correct_every
        if every is not None and (type(every) is not int or every < 1):
            raise ValueError(f"correct_every: got {every!r}; give an integer of at least 1, or None for no CORRECT")
        if type(self.adaptive_phases) is not bool:
            raise ValueError(f"adaptive_phases: got {self.adaptive_phases!r}; True or False is allowed")
        _check_number("loss_threshold", self.loss_threshold, low=0.0)
        _check_number("correction_weight", self.correction_weight, low=0.0)
        _check_number("min_correlation", self.min_correlation, low=-1.0, high=1.0, may_be_none=True)
        _check_number("residual_threshold", self.residual_threshold, low=0.0, may_be_none=True)
        _check_number("max_grad_norm", self.max_grad_norm, low=0.0, may_be_none=True)

    @classmethod
    def deterministic(cls, **changes: Any) -> Self:
        """Deterministic mode with the lengths that are usual there (10 + 5/20/5), less what `changes` names."""
        usual: dict[str, Any] = {
            "mode": "deterministic",
            "full_steps": 5,
            "predict_steps": 20,
            "correct_every": 5,
            "residual_threshold": 0.5,
        }
        return cls(**{**usual, **changes})

    def replace(self, **changes: Any) -> Self:
        """A changed copy, checked as every config. Raises TypeError for a setting that there is not."""
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`; what is missing has its default. Raises ValueError for unknown names."""
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(data) - set(known))
        if unknown:
            raise ValueError(f"a phase config has no {', '.join(unknown)}; its settings are: {', '.join(known)}")
        return cls(**data)


def _check_number(
    name: str, value: float | None, *, low: float, high: float = math.inf, may_be_none: bool = False
) -> None:
    if value is None and may_be_none:
        return
    is_number = type(value) in (int, float)  # True is an int to isinstance
    if value is None or not is_number or not math.isfinite(value) or not low <= value <= high:
        span = f"at least {low:g}" if high == math.inf else f"from {low:g} to {high:g}"
        raise ValueError(f"{name}: got {value!r}; a number of {span}{', or None,' if may_be_none else ''} is allowed")
