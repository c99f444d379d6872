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

    An epoch is `updates_per_epoch` updates of `batch_episodes` episodes; left out, `batch_episodes` (32) updates of one
    or of `episode_batch_size`, the last possibly smaller. "per_series" calls the extractor once, after
    `check_context` has compared two windows. `clip_value` bounds each entry of the gradient; it and `clip_norm` act on
    every `clip_every`-th update. `input_noise_std` is that of noise on the inputs, of which the context is then taken.
    `compile`: "model" compiles forward and backward, "step" the whole step; where it fails, the flat step goes on.
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
