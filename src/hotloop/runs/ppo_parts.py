"""The environment and the model that a config of PPO names."""

import math
from typing import Any

import torch
from torch import nn

from hotloop import models, registry
from hotloop.errors import ConfigError, HotloopError
from hotloop.models.policy.factored import FactoredCategorical
from hotloop.models.policy.registration import model_class
from hotloop.models.policy.schema import checked_config, option_annotations
from hotloop.runs.ppo_config import NamedConfig, PPORunConfig
from hotloop.train.ppo.environment import ContinuousActions, DiscreteActions, VectorEnvironment
from hotloop.train.ranks import Ranks


def build_environment(config: PPORunConfig, **changes: Any) -> VectorEnvironment:
    """The environment, seeded by the run unless it has a seed of its own. Raises ConfigError for wrong options."""
    named = config.environment
    options = {"seed": config.seed, **named.options, **changes}
    try:
        kind = registry.load("environments", named.name)
        return kind(checked_config(kind.Config, options, owner=f"environment {named.name!r}"))
    except HotloopError as error:
        raise ConfigError(f"[environment]: {error}") from error


def environment_of_rank(config: PPORunConfig, ranks: Ranks) -> VectorEnvironment:
    """The share of one rank: the next `num_envs` / size environments. Raises ConfigError where they do not divide."""
    whole = build_environment(config)
    if ranks.size == 1:
        return whole
    if whole.num_envs % ranks.size:
        raise ConfigError(
            f"[environment]: got num_envs = {whole.num_envs} for {ranks.size} ranks, which share them: give a multiple "
            f"of {ranks.size}"
        )
    own = whole.num_envs // ranks.size
    seed = int(config.environment.options.get("seed", config.seed))
    return build_environment(config, num_envs=own, seed=seed + ranks.rank * own)


def build_model(named: NamedConfig, environment: VectorEnvironment, *, seed: int) -> nn.Module:
    """The model, with what the environment decides filled in: channels or size of observations, number of actions.

    Where actions are made of several choices, the model has one logit a choice, and their distribution.
    Raises ConfigError for wrong options.
    """
    shape, actions = environment.observation_shape, environment.actions
    known: dict[str, Any] = {
        "input_channels": shape[0],
        "observation_size": math.prod(shape),
        "history": shape[0],
        **_known_of(actions),
    }
    factors = actions.factors if isinstance(actions, DiscreteActions) else ()
    try:
        owner = f"model {named.name!r}"
        wanted = option_annotations(model_class(named.name).Config, owner=owner)
        filled = {name: value for name, value in known.items() if name in wanted}
        torch.manual_seed(seed)
        model: Any = models.create(named.name, **{**filled, **named.options})
    except HotloopError as error:
        raise ConfigError(f"[model]: {error}") from error
    if factors:
        model.distribution = FactoredCategorical(factors)
    return model


def _known_of(actions: DiscreteActions | ContinuousActions) -> dict[str, Any]:
    if isinstance(actions, ContinuousActions):
        return {"action_size": actions.size}
    has_parts = bool(actions.factors)
    return {"num_actions": FactoredCategorical(actions.factors).num_outputs if has_parts else actions.num_actions}
