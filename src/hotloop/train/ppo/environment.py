"""What PPO asks of an environment: many games or episodes at once, one call a step."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

# N environments, A actions, D dimensions of a continuous action

Step = tuple[Tensor, Tensor | None, Tensor, Tensor, Tensor, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class DiscreteActions:
    """One of `num_actions`, as int64 (N,); `factors`, where given, are the choices that each one is made of."""

    num_actions: int
    factors: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, kw_only=True)
class ContinuousActions:
    """Vectors of `size` numbers, as float32 (N, D); the environment itself keeps them inside its bounds."""

    size: int


class VectorEnvironment(Protocol):
    """`num_envs` environments on the CPU that start anew by themselves.

    `alternates` says that each step is by the other side of a game of two, whose observations, rewards and values are
    its own. Tensors that come back may be written over by the next call.
    """

    num_envs: int
    observation_shape: tuple[int, ...]
    actions: DiscreteActions | ContinuousActions
    alternates: bool

    def reset(self) -> tuple[Tensor, Tensor | None]:
        """Observations float32 (N, ...) of new episodes, and masks bool (N, A); None where all actions are legal."""
        ...

    def step(self, actions: Tensor) -> Step:
        """Observations, masks, rewards of who acted float32 (N,), terminated and truncated bool (N,), and more.

        Where an episode ended, the observation is the first of the next one, and `infos["final_observations"]`
        (N, ...) holds, in the rows of ended episodes, the last one of the old. Where rewards hold more than results,
        to help learning, `infos["outcomes"]` (N,) are the results alone, by which episodes and games are told. An
        environment with an attribute `has_scores` that is true gives `infos["scores"]` (N,), float32: what the position
        that was acted in is worth to who acted.
        """
        ...

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """All that the next steps depend on, in JSON types and tensors; for `restore_state`."""
        ...

    def restore_state(self, data: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> tuple[Tensor, Tensor | None]:
        """Go on from what `state` gave; observations and masks as they were then."""
        ...
