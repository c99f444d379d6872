"""A reward function bound once: which keyword takes the transition penalty, and what its result means."""

import inspect
import reprlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from hotloop.train.callers import warn
from hotloop.train.rewards.negative_energy import NegativeEnergy

Reward = Callable[..., Any]
_NAMES = ("transition_penalty", "trans_cost")
_ALLOWED = "allowed are one number, or a tensor with one number for each episode, or for each step of each episode"


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
            warn(
                f"a transition penalty of {penalty} was given, but the reward {_title(self._reward)} takes neither "
                "transition_penalty nor trans_cost, so it has no effect; add the keyword to the reward, or give 0"
            )

    def __call__(self, actions_BTM: Tensor, context_BTM: Tensor) -> Tensor:
        """Rewards of shape (B,), or (1,) for one number for the whole batch; further dimensions are averaged."""
        rewards = self.raw(actions_BTM, context_BTM)
        if rewards.ndim > 1:
            return rewards.flatten(1).mean(1)
        return rewards if rewards.ndim else rewards.unsqueeze(0)

    def raw(self, actions_BTM: Tensor, context_BTM: Tensor) -> Tensor:
        """What the function returned; plain numbers become a float32 tensor without gradient.

        Raises TypeError where it returned no numbers, ValueError for a shape that is not one of rewards.
        """
        rewards = self._reward(actions_BTM, context_BTM, **self._keywords)
        if not isinstance(rewards, Tensor) or not rewards.is_floating_point():
            try:
                rewards = torch.as_tensor(rewards, dtype=torch.float32, device=actions_BTM.device)
            except (TypeError, ValueError, RuntimeError) as error:
                raise TypeError(
                    f"the reward {_title(self._reward)} returned {reprlib.repr(rewards)} of type "
                    f"{type(rewards).__name__}; {_ALLOWED}: return a tensor that is computed from the actions"
                ) from error
        shape, wanted = rewards.shape, actions_BTM.shape
        if shape and (shape == wanted or shape[0] not in (1, wanted[0])):
            raise ValueError(
                f"the reward {_title(self._reward)} returned shape {tuple(shape)} for actions of shape {tuple(wanted)}"
                f"{', which is one number for each action' if shape == wanted else ''}; {_ALLOWED}: keep the first "
                "dimension and reduce the last, for instance by .sum(-1)"
            )
        return rewards

    def check_trains(self, rewards: Tensor) -> None:
        """Raise ValueError where the rewards carry no gradient, so that nothing would be learned."""
        if not rewards.requires_grad:
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


def _title(reward: Reward) -> str:
    return repr(getattr(reward, "__qualname__", None) or type(reward).__name__)
