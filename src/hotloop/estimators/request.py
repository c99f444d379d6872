"""What one fit is asked for, and what it learned."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from hotloop.estimators.episode_settings import EpisodeSettings
from hotloop.estimators.fitted import Fitted
from hotloop.train.checkpoint import CheckpointRecorder
from hotloop.train.episodic import SupervisedOptions
from hotloop.train.strategies.supervised import Score

History = list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Supervision:
    """Training on targets, which are in the scale of the network; `title` names it where progress is shown.

    `noise` is the standard deviation of noise on the rows, broadcast to one.
    """

    title: str
    targets: Tensor
    options: SupervisedOptions
    criterion: Score
    noise: Tensor | None = None
    verbose: int = 0


@dataclass(frozen=True, kw_only=True)
class ValidationRows:
    """Rows that are not trained on, with targets in the scale of the network, or the context of a series as given."""

    rows: Tensor
    targets: Tensor | None = None
    context: Any = None


@dataclass(frozen=True, kw_only=True)
class FitRequest:
    """One fit, everything in it checked: which network learns from which rows, and how.

    With `episodes`, `supervision` is the warm start before them. `compile` are keywords of torch.compile; None leaves
    the network as it is. A `recorder` keeps a run on episodes so that it can go on; `on_start` is told of the network
    before the first epoch of such a run, when the recorder may already save it.
    """

    network: Fitted
    rows: Tensor
    supervision: Supervision | None = None
    episodes: EpisodeSettings | None = None
    validation: ValidationRows | None = None
    compile: Mapping[str, Any] | None = None
    seed: int | None = None
    verbose: int = 0
    recorder: CheckpointRecorder | None = None
    on_start: "Callable[[Learned], None] | None" = None


@dataclass(frozen=True, kw_only=True)
class Learned:
    """The trained network with its scalers and shapes, and one entry of history an epoch, once there are any.

    `episodes`, `profile` and the history of the warm start are those of training on episodes.
    """

    network: Fitted
    history: History | None = None
    episodes: EpisodeSettings | None = None
    profile: dict[str, Any] | None = None
    warm_start_history: History | None = None

    def attributes(self) -> dict[str, Any]:
        """What an estimator keeps, by the names of its attributes."""
        found = {
            "fitted_": self.network,
            "history_": self.history,
            "n_iter_": None if self.history is None else len(self.history),
            "hisso_": self.episodes,
            "hisso_profile_": self.profile,
            "warm_start_history_": self.warm_start_history,
        }
        return {name: value for name, value in found.items() if value is not None}
