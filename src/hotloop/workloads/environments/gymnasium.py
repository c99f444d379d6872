"""Environments of gymnasium, stepped one after another in this process."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from hotloop.errors import WorkloadError
from hotloop.option import AtLeast
from hotloop.train.ppo.environment import ContinuousActions, DiscreteActions, Step
from hotloop.workloads.gymnasium_state import read_state, write_state

if TYPE_CHECKING:
    from gymnasium import Env


@dataclass(frozen=True, kw_only=True)
class GymnasiumConfig:
    """`id` as gymnasium knows it, such as "CartPole-v1"."""

    id: str
    num_envs: Annotated[int, AtLeast(1)] = 8
    seed: int = 0


class GymnasiumEnvironment:
    """`num_envs` environments with observations in a box, and discrete actions or a box of them.

    Environment i is reset with seed + i, and draws on from there. Continuous actions are clipped to their box.
    Raises WorkloadError for other spaces, an id that is not known, or where gymnasium is not installed.
    """

    name: ClassVar[str] = "gymnasium"
    Config: ClassVar = GymnasiumConfig
    alternates = False

    def __init__(self, config: GymnasiumConfig) -> None:
        self._config, self.num_envs = config, config.num_envs
        self._envs = [_made(config.id) for _ in range(config.num_envs)]
        observations, actions = self._envs[0].observation_space, self._envs[0].action_space
        if type(observations).__name__ != "Box" or observations.shape is None:
            raise WorkloadError(f"{config.id} observes {observations}; only boxes are taken: wrap or choose another")
        self.observation_shape: tuple[int, ...] = observations.shape
        self.actions, self._low, self._high = _actions_of(config.id, actions)
        shape = (config.num_envs, *self.observation_shape)
        self._now, self._final = np.zeros((2, *shape), dtype=np.float32)
        self._rewards = np.zeros(config.num_envs, dtype=np.float32)
        self._terminated, self._truncated = np.zeros((2, config.num_envs), dtype=np.bool_)
        self._final_tensor = torch.from_numpy(self._final)

    def reset(self) -> tuple[Tensor, None]:
        for row, env in enumerate(self._envs):
            self._now[row] = env.reset(seed=self._config.seed + row)[0]
        return torch.from_numpy(self._now), None

    def step(self, actions: Tensor) -> Step:
        # Python's own integers: a space checks them in a fraction of the time that those of NumPy take.
        chosen = actions.tolist() if self._low is None else np.clip(actions.numpy(), self._low, self._high)
        for row, (env, action) in enumerate(zip(self._envs, chosen, strict=True)):
            observation, reward, terminated, truncated, _ = env.step(action)
            self._rewards[row], self._terminated[row], self._truncated[row] = reward, terminated, truncated
            if terminated or truncated:
                self._final[row] = observation
                observation = env.reset()[0]
            self._now[row] = observation
        return (
            torch.from_numpy(self._now),
            None,
            torch.from_numpy(self._rewards),
            torch.from_numpy(self._terminated),
            torch.from_numpy(self._truncated),
            {"final_observations": self._final_tensor},
        )

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        tensors = {"now": torch.from_numpy(self._now.copy())}
        data: dict[str, Any] = {"envs": []}
        for row, env in enumerate(self._envs):
            plain, arrays = read_state(env)
            data["envs"].append(plain)
            tensors |= {f"{row}.{name}": torch.from_numpy(np.array(array)) for name, array in arrays.items()}
        return data, tensors

    def restore_state(self, data: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> tuple[Tensor, None]:
        for row, (env, plain) in enumerate(zip(self._envs, data["envs"], strict=True)):
            own = f"{row}."
            arrays = {name.removeprefix(own): value.numpy() for name, value in tensors.items() if name.startswith(own)}
            write_state(env, plain, arrays)
        self._now[...] = tensors["now"].numpy()
        return torch.from_numpy(self._now), None


def _made(identity: str) -> "Env[Any, Any]":
    try:
        import gymnasium
    except ImportError as error:
        raise WorkloadError("gymnasium is not installed; pip install 'hotloop[rl]'") from error
    try:
        return gymnasium.make(identity, disable_env_checker=True)
    except gymnasium.error.Error as error:
        raise WorkloadError(f"gymnasium makes no {identity!r}: {error}; give an id that it knows") from error


def _actions_of(identity: str, space: Any) -> tuple[DiscreteActions | ContinuousActions, Any, Any]:
    """The actions, and the bounds of continuous ones."""
    kind = type(space).__name__
    if kind == "Discrete" and space.start == 0:
        return DiscreteActions(num_actions=int(space.n)), None, None
    if kind == "Box" and len(space.shape) == 1:
        return ContinuousActions(size=space.shape[0]), space.low, space.high
    raise WorkloadError(f"{identity} takes {space}; Discrete from 0 and flat boxes are taken: wrap or choose another")
