"""Cycles of PPO on CartPole, rollout and update: `hotloop tune ppo`, a few ms a step on one core. Needs [rl]."""

from typing import Any

import torch

from hotloop import models
from hotloop.models.policy.network_call import NetworkCall, distribution_of
from hotloop.train.ppo.acting import Acting
from hotloop.train.ppo.norm_statistics import NormStatistics
from hotloop.train.ppo.options import PPOOptions
from hotloop.train.ppo.rollout import Rollout
from hotloop.train.ppo.update_batches import UpdateBatches
from hotloop.train.stopwatch import NoStopwatch
from hotloop.train.strategies.ppo import PPO
from hotloop.workload import Job
from hotloop.workloads.environments.gymnasium import GymnasiumConfig, GymnasiumEnvironment

_OPTIONS = PPOOptions(num_steps=32, batch_size=256, passes=20, gamma=0.98, gae_lambda=0.8, entropy_coef=0.0)


def build(seed: int) -> Job:
    """A rollout of 8 x 32 steps, then 20 passes over it in batches of 256, Adam, norm clipped; the same for a seed.

    A rollout is made between two steps, as a loader would make a batch. Actions are drawn from torch's global
    generator, so that a change of rounding may lead to other episodes after a while.
    """
    environment = GymnasiumEnvironment(GymnasiumConfig(id="CartPole-v1", num_envs=8, seed=seed))
    torch.manual_seed(seed)
    model: Any = models.create("mlp", observation_size=4, num_actions=2)
    call, distribution = NetworkCall(None), distribution_of(model)
    device = torch.device("cpu")
    strategy = PPO(distribution, call, entropy_coef=_OPTIONS.entropy_coef)
    rollout = Rollout(
        model,
        environment,
        num_steps=_OPTIONS.num_steps,
        acting=Acting(model, call, distribution),
        device=device,
    )
    return Job(
        model=model,
        optimizer=torch.optim.Adam(model.parameters(), lr=1e-3),
        batches=UpdateBatches(
            model,
            rollout,
            strategy,
            NormStatistics(model, call),
            _OPTIONS,
            num_updates=_OPTIONS.num_updates(environment.num_envs),
            sign=1.0,
            stopwatch=NoStopwatch(),
        ),
        strategy=strategy,
        clip_norm=_OPTIONS.clip_norm,
    )
