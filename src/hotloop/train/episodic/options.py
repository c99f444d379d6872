"""Every knob of episodic training, checked when the options are made; nothing is clamped."""

from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

Optimizer = Literal["adam", "adamw", "sgd"]
Primary = Literal["identity", "softmax", "tanh"]
StateReset = Literal["batch", "epoch", "none"]
ContextMode = Literal["per_batch", "per_series"]
Compile = Literal["off", "model", "step"]
Nonfinite = Literal["stop", "skip"]
Phases = Literal["auto", "off", "on"]
HalfPrecision = Literal["bfloat16", "float16"]


def _positive_or_none(value: float | None) -> float | None:
    if value is not None and value <= 0.0:
        raise ValueError(f"got {value}; allowed are numbers above 0, or None for no clipping: give None to turn it off")
    return value


Count = Annotated[int, Field(ge=1)]
Limit = Annotated[float | None, Field(allow_inf_nan=False), AfterValidator(_positive_or_none)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]

_CHECKED = ConfigDict(extra="forbid", strict=True, validate_default=False)


@dataclass(frozen=True, kw_only=True, config=_CHECKED)
class UpdateOptions:
    """How parameters are updated, and for how long.

    `lr_end`: the rate goes linearly over the epochs, from `lr` in the first to `lr_end` in the last. `clip_norm` bounds
    the 2-norm of the gradient; None turns it off. `state_updates` False keeps a stateful model from staging updates.
    `nonfinite`: "stop" raises NonFiniteError at the end of the epoch and leaves the weights as they were before the
    first update with a NaN or infinity; "skip" leaves such updates out and counts them.
    `threads`: intra-op threads on the CPU; None lets the amount of work decide; put back after the run.
    `phases`: whether each phase of an update is timed; "auto" does on the CPU, where it is free.
    `validation_every` and `patience` count epochs; patience None never stops early. `fused` False trains through
    plain autograd where a fused network kernel would serve.
    """

    epochs: Count = 200
    lr: Positive = 1e-3
    lr_end: Positive | None = None
    optimizer: Optimizer = "adam"
    weight_decay: NotNegative = 0.0
    clip_norm: Limit = None
    state_reset: StateReset = "batch"
    state_updates: bool | None = None
    amp: HalfPrecision | None = None
    nonfinite: Nonfinite = "stop"
    validation_every: Count = 1
    patience: Count | None = None
    threads: Count | None = None
    phases: Phases = "auto"
    fused: bool = True


@dataclass(frozen=True, kw_only=True, config=_CHECKED)
class EpisodicOptions(UpdateOptions):
    """How a model is trained on episodes.

    Schedule: `updates_per_epoch` updates of `batch_episodes` episodes each. Left out, an epoch is `batch_episodes`
    (32) updates of one episode: the compatible schedule. `episode_batch_size` splits `batch_episodes` episodes of an
    epoch into batches of that size, the last one possibly smaller.

    Context: by one call of the extractor each update, or one for the series, which is cut with the same starts;
    `check_context` then compares two windows first.

    Clipping: `clip_value` bounds each entry of the gradient; it and `clip_norm` act on every `clip_every`-th update.
    `input_noise_std` is the standard deviation of noise on the inputs; the context is then taken from the noisy inputs.
    `compile`: "model" compiles forward and backward, "step" the whole step; only worth it in long runs. Where it fails,
    a warning says so and the lean step goes on.
    """

    window: Count = 64
    batch_episodes: Count | None = None
    updates_per_epoch: Count | None = None
    episode_batch_size: Count | None = None
    primary_transform: Primary = "softmax"
    transition_penalty: NotNegative = 0.0
    context_mode: ContextMode = "per_batch"
    check_context: bool = True
    input_noise_std: Positive | None = None
    clip_norm: Limit = 1.0
    clip_value: Limit = None
    clip_every: Count = 1
    compile: Compile = "off"
