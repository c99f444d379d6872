"""Runs in which the network learns how games end."""

import pytest
import torch
from kept_states import Kept
from torch import nn

from hotloop import models
from hotloop.errors import WorkloadError
from hotloop.models.policy.actor_critic import ActorCritic
from hotloop.models.policy.heads import Heads
from hotloop.train.ppo.environment import DiscreteActions
from hotloop.train.ppo.options import PPOOptions
from hotloop.train.ppo.run import train_ppo


class Duel:
    """A game of four moves that the first side wins, drawn where the observation says so; each side sees its number."""

    alternates = has_scores = True

    def __init__(self, num_envs=4):
        self.num_envs, self.observation_shape = num_envs, (2,)
        self.actions = DiscreteActions(num_actions=2)
        self.move = 0

    def _shown(self):
        drawn = torch.arange(self.num_envs) % 2
        return torch.stack([torch.full((self.num_envs,), float(self.move % 2)), drawn.float()], 1), None

    def reset(self):
        return self._shown()

    def step(self, actions):
        scores = torch.full((self.num_envs,), 0.5 - self.move % 2)
        self.move = (self.move + 1) % 4
        ended = torch.full((self.num_envs,), self.move == 0)
        rewards = torch.where(torch.arange(self.num_envs) % 2 == 1, 0.0, -1.0) * ended  # the second side moves last
        return *self._shown(), rewards, ended, torch.zeros_like(ended), {"scores": scores}

    def state(self):
        return {"move": self.move}, {}

    def restore_state(self, data, tensors):
        self.move = data["move"]
        return self._shown()


class Alone(Duel):
    alternates = False


class Scoreless(Duel):
    has_scores = False


class HeadsNet(ActorCritic):
    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.body = nn.Sequential(nn.Linear(2, 32), nn.Tanh())
        self.policy, self.outcome, self.score = nn.Linear(32, 2), nn.Linear(32, 3), nn.Linear(32, 1)

    def heads(self, x):
        y = self.body(x)
        return Heads(self.policy(y), self.outcome(y), self.score(y).squeeze(1))

    def forward(self, x):
        heads = self.heads(x)
        win, _, loss = heads.outcome.softmax(1).unbind(1)
        return heads.policy, win - loss


def options(**changes):
    made = {"total_steps": 6400, "num_steps": 16, "batch_size": 32, "passes": 2, "lr": 0.02, "value_coef": 1.0}
    return PPOOptions(**{**made, "value_loss": "outcome", "score_coef": 1.0, **changes})


@pytest.mark.parametrize("compiled", [None, "step"])
def test_each_side_knows_how_its_games_end_and_what_they_are_worth(compiled):
    model = HeadsNet()
    run = train_ppo(model, Duel(), options(compile=compiled), seed=0, backend="aten")
    seen = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    heads = model.heads(seen)
    assert heads.outcome.argmax(1).tolist() == [0, 2, 1, 1]
    torch.testing.assert_close(heads.score, torch.tensor([0.5, -0.5, 0.5, -0.5]), atol=0.1, rtol=0.0)
    torch.testing.assert_close(model(seen)[1], torch.tensor([1.0, -1.0, 0.0, 0.0]), atol=0.1, rtol=0.0)
    assert run.history[-1].metrics["score_loss"] < run.history[0].metrics["score_loss"]


def test_a_run_that_was_killed_goes_on_to_the_same_bits():
    kept, whole, rest = Kept(), HeadsNet(), HeadsNet()
    short = options(total_steps=320)
    history = train_ppo(whole, Duel(), short, seed=3, recorder=kept).history
    torch.manual_seed(99)
    assert train_ppo(rest, Duel(), short, seed=3, recorder=Kept(kept.states[1])).history == history
    assert all(torch.equal(value, rest.state_dict()[name]) for name, value in whole.state_dict().items())


def test_the_tower_with_heads_learns_from_games_of_shogi():
    pytest.importorskip("rsshogi")
    from hotloop.workloads.environments.shogi import ShogiConfig, ShogiEnvironment

    environment = ShogiEnvironment(ShogiConfig(num_envs=2, actions="spatial", max_plies=6))
    tower = {"num_actions": 81 * 139, "depth": 1, "width": 8, "pool_units": 4, "se_reduction": 2}
    model = models.create("se_resnet", input_channels=46, **tower)
    score_head = model.score_head[-1].weight.detach().clone()
    run = train_ppo(model, environment, options(total_steps=32, num_steps=8, batch_size=8, passes=1), seed=0)
    # All games were cut off, so that nothing is known of outcomes; the start is level.
    assert run.history[0].metrics["value_loss"] == pytest.approx(run.history[0].metrics["score_loss"])
    assert not torch.equal(model.score_head[-1].weight, score_head)


@pytest.mark.parametrize(
    ("model", "environment", "message"),
    [
        (HeadsNet, Alone, "no game of two"),
        (HeadsNet, Scoreless, "tells no scores"),
        (lambda: models.create("mlp", observation_size=2, num_actions=2), Duel, "takes a network with `heads`"),
    ],
)
def test_what_cannot_be_learned_is_refused(model, environment, message):
    with pytest.raises(WorkloadError, match=message):
        train_ppo(model(), environment(), options(), seed=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value_clip": True}, "no value to clip"),
        ({"compile": "default"}, "would run uncompiled"),
        ({"value_loss": "return"}, "score_coef with value_loss='return'"),
    ],
)
def test_options_that_contradict_each_other_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        options(**changes)
