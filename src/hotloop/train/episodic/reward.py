"""A reward function bound once: which keyword takes the transition penalty, and what its result means."""

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from hotloop.train.episodic.callers import outside_level
from hotloop.train.rewards.negative_energy import NegativeEnergy

Reward = Callable[..., Any]
_NAMES = ("transition_penalty", "trans_cost")


class RewardCall:
    """Rewards per episode, shape (B,), from a user's function of (actions, context).

    The signature is looked at once, here: `penalty_name` is the keyword that takes the transition penalty, None where
    there is none. Warns where a penalty above 0 would be dropped.
    """

    def __init__(self, reward: Reward | None, penalty: float = 0.0) -> None:
        self._reward: Reward = NegativeEnergy() if reward is None else reward
        self.penalty_name = penalty_keyword(self._reward)
        self._keywords = {} if self.penalty_name is None else {self.penalty_name: penalty}
        if penalty > 0.0 and self.penalty_name is None:
            warnings.warn(
                f"a transition penalty of {penalty} was given, but the reward {_title(self._reward)} takes neither "
                "transition_penalty nor trans_cost, so it has no effect; add the keyword to the reward, or give 0",
                UserWarning,
                stacklevel=outside_level(),
            )

    def __call__(self, actions_BTM: Tensor, context_BTM: Tensor) -> Tensor:
        """Rewards of shape (B,), or (1,) where the function returned one number for the whole batch.

        Further dimensions are averaged. Plain numbers become a tensor without gradient.
        """
        return per_episode(self.raw(actions_BTM, context_BTM), actions_BTM)

    def raw(self, actions_BTM: Tensor, context_BTM: Tensor) -> Any:
        """What the function returned."""
        return self._reward(actions_BTM, context_BTM, **self._keywords)

    def check_trains(self, rewards: Any) -> None:
        """Raise ValueError where the rewards carry no gradient, so that nothing would be learned."""
        if not isinstance(rewards, Tensor) or not rewards.requires_grad:
            raise ValueError(
                f"the reward {_title(self._reward)} returned a value without gradient; it must be computed from the "
                "actions with torch operations: do not call .item(), .detach() or numpy on them"
            )


def penalty_keyword(reward: Reward) -> str | None:
    """The keyword by which `reward` takes the transition penalty; None where it takes none, or cannot be inspected."""
    try:
        parameters = inspect.signature(reward).parameters
    except (TypeError, ValueError):
        return None
    takes_any = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
    by_keyword = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
    named = [name for name in _NAMES if name in parameters and parameters[name].kind in by_keyword]
    return named[0] if named else _NAMES[0] if takes_any else None


def per_episode(rewards: Any, actions_BTM: Tensor) -> Tensor:
    """Rewards as a tensor of shape (B,) or (1,). Raises ValueError where the first dimension is not the episodes'."""
    if not isinstance(rewards, Tensor):
        rewards = torch.as_tensor(rewards, dtype=torch.float32, device=actions_BTM.device)
    if rewards.ndim == 0:
        return rewards.unsqueeze(0)
    if rewards.shape[0] not in (1, actions_BTM.shape[0]):
        raise ValueError(
            f"the reward returned shape {tuple(rewards.shape)} for actions of shape {tuple(actions_BTM.shape)}; "
            "allowed are a scalar, one value for each episode, or (episodes, ...): keep the first dimension"
        )
    return rewards if rewards.ndim == 1 else rewards.flatten(1).mean(1)


def _title(reward: Reward) -> str:
    return repr(getattr(reward, "__qualname__", None) or type(reward).__name__)
