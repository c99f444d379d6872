"""How a model is trained on episodes; checked when the options are made, nothing is clamped."""

from typing import Literal

from pydantic.dataclasses import dataclass

from hotloop.train.flat.clipping import Clipping
from hotloop.train.flat.compiled import Compilation
from hotloop.train.options import CHECKED, Count, Limit, NotNegative, Positive, UpdateOptions

Primary = Literal["identity", "softmax", "tanh"]


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class EpisodicOptions(UpdateOptions):
    """How a model is trained on episodes.

    Schedule: `updates_per_epoch` updates of `batch_episodes` episodes each. Left out, an epoch is `batch_episodes`
    (32) updates of one episode: the compatible schedule. `episode_batch_size` splits `batch_episodes` episodes of an
    epoch into batches of that size, the last one possibly smaller.

    Context: by one call of the extractor each update, or one for the series, which is cut with the same starts;
    `check_context` then compares two windows first.

    Clipping: `clip_value` bounds each entry of the gradient; it and `clip_norm` act on every `clip_every`-th update.
    `input_noise_std` is the standard deviation of noise on the inputs; the context is then taken from the noisy inputs.
    `compile`: "model" compiles forward and backward, "step" the whole step; it pays in long runs only. Where it fails,
    a warning says so and the flat step goes on.
    """

    window: Count = 64
    batch_episodes: Count | None = None
    updates_per_epoch: Count | None = None
    episode_batch_size: Count | None = None
    primary_transform: Primary = "softmax"
    transition_penalty: NotNegative = 0.0
    context_mode: Literal["per_batch", "per_series"] = "per_batch"
    check_context: bool = True
    input_noise_std: Positive | None = None
    clip_norm: Limit = 1.0
    clip_value: Limit = None
    clip_every: Count = 1
    compile: Literal["off", "model", "step"] = "off"

    @property
    def clipping(self) -> Clipping:
        """What limits the gradient."""
        return Clipping(norm=self.clip_norm, value=self.clip_value, every=self.clip_every)

    @property
    def compilation(self) -> Compilation | None:
        """What of a step is compiled; None for nothing."""
        return None if self.compile == "off" else Compilation(what=self.compile)
