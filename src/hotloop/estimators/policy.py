"""The policy of a network that was trained on episodes, the primary transform of its outputs, and its reward."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from hotloop.estimators import rollout
from hotloop.estimators.episode_context import context_extractor
from hotloop.estimators.episode_settings import EpisodeSettings, chosen_context, chosen_reward
from hotloop.estimators.fit_params import Reward
from hotloop.estimators.fitted import Fitted
from hotloop.train.episodes.actions import transform_named
from hotloop.train.episodes.context import ContextSource, align
from hotloop.train.episodes.reward import RewardCall


def actions(fitted: Fitted, rows: Tensor, settings: EpisodeSettings) -> Tensor:
    """The actions on a series of rows, shape (N, M); a stateful network starts from a fresh state and moves it."""
    if rollout.is_stateful(fitted.net):
        rollout.reset(fitted)
        outputs = rollout.outputs(fitted, rows, update_state=settings.options.state_updates is not False)
    else:
        outputs = fitted.raw(rows)
    return transform_named(settings.options.primary_transform)(outputs.flatten(1))


@torch.no_grad()
def reward_of(fitted: Fitted, rows: Tensor, settings: EpisodeSettings) -> float:
    """The mean reward of the policy on a series of rows as one episode."""
    chosen = actions(fitted, rows, settings).unsqueeze(0)
    extractor = context_extractor(fitted, settings.context, rows)
    inputs = rows.unsqueeze(0)
    context = inputs.flatten(2) if extractor is None else ContextSource(extractor)(inputs)
    rewards = RewardCall(settings.reward, settings.options.transition_penalty)(chosen, align(context, chosen.shape))
    return float(rewards.mean())


def rescored(
    settings: EpisodeSettings, reward: Reward | str | None, context: Any, penalty: float | None
) -> EpisodeSettings:
    """The settings of training, with another reward, context or transition penalty where one is given."""
    options = settings.options
    return replace(
        settings,
        options=options if penalty is None else replace(options, transition_penalty=float(penalty)),
        reward=settings.reward if reward is None else chosen_reward(reward),
        context=settings.context if context is None else chosen_context(context),
    )
