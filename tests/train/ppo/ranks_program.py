"""One of two ranks, each with half of the environments: together they train as one process does on all of them.

The policy draws without noise and a batch is a whole rollout, so that both ways see the same games and batches.
"""

import sys

import torch
from torch import distributed, nn

from hotloop.models.policy.actor_critic import ActorCritic
from hotloop.models.policy.distribution import MaskedCategorical
from hotloop.train.ppo.options import PPOOptions
from hotloop.train.ppo.run import train_ppo
from hotloop.train.ranks import Ranks
from hotloop.workloads.environments.gymnasium import GymnasiumConfig, GymnasiumEnvironment

ENVS = 4
OPTIONS = PPOOptions(total_steps=2000, num_steps=100, batch_size=400, passes=3, lr=1e-3, target_kl=1.0)


class WithoutNoise(MaskedCategorical):
    def noise(self, outputs, legal):
        return torch.ones(outputs.shape)  # its logarithm, by which draws differ, is 0


class Network(ActorCritic):
    """With batch norm, whose statistics are those of all ranks."""

    def __init__(self):
        super().__init__()
        self.distribution = WithoutNoise()
        self.body = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.Tanh())
        self.policy, self.value = nn.Linear(16, 2), nn.Linear(16, 1)

    def forward(self, x):
        y = self.body(x)
        return self.policy(y), self.value(y).squeeze(1)


def environment(ranks):
    own = ENVS // ranks.size
    return GymnasiumEnvironment(GymnasiumConfig(id="CartPole-v1", num_envs=own, seed=7 + ranks.rank * own))


def trained(ranks):
    torch.manual_seed(0)
    model = Network()
    return model, train_ppo(model, environment(ranks), OPTIONS, seed=0, ranks=ranks).history


distributed.init_process_group("gloo")
ranks = Ranks(rank=distributed.get_rank(), size=distributed.get_world_size())
model, history = trained(ranks)
alone, expected = trained(Ranks())
assert [update.steps for update in history] == [update.steps for update in expected] == [400, 800, 1200, 1600, 2000]
for mine, theirs in zip(history, expected, strict=True):
    assert mine.metrics.keys() == theirs.metrics.keys()
    for name in theirs.metrics.keys() - {"episode_return", "episode_length"}:  # of the last 100 episodes of each rank
        value = theirs.metrics[name]
        assert abs(mine.metrics[name] - value) <= 1e-5 + 1e-3 * abs(value), (mine.number, name, mine, theirs)
for name, weights in model.state_dict().items():
    torch.testing.assert_close(weights, alone.state_dict()[name], rtol=1e-3, atol=1e-5)
    first, second = ranks.gathered(weights.contiguous())
    assert torch.equal(first, second), name  # to the last bit
sys.stdout.write("equal\n")  # in one piece, which print does not do
distributed.destroy_process_group()
