import gc
import math
import random
from dataclasses import replace

import psutil
import pytest
import torch
from kept_states import Kept
from torch import nn

from hotloop import models
from hotloop.compile.capture import tally
from hotloop.errors import NonFiniteError, NotApplicable
from hotloop.models.policy.actor_critic import ActorCritic
from hotloop.train.ppo.environment import DiscreteActions
from hotloop.train.ppo.options import PPOOptions
from hotloop.train.ppo.run import train_ppo

SMALL = {"total_steps": 160, "num_steps": 10, "batch_size": 8, "passes": 3}


class Bandit:
    """One step an episode; action 2 of 4 gives 1, the others nothing. Keeps a generator that a resume must put back."""

    def __init__(self, num_envs=4):
        self.num_envs, self.observation_shape = num_envs, (3,)
        self.actions, self.alternates = DiscreteActions(num_actions=4), False
        self.generator = torch.Generator().manual_seed(5)
        self.now = torch.zeros(num_envs, 3)

    def _draw(self):
        self.now = torch.randn(self.num_envs, 3, generator=self.generator)
        return self.now, None

    def reset(self):
        return self._draw()

    def step(self, actions):
        done = torch.ones(self.num_envs, dtype=torch.bool)
        return *self._draw(), (actions == 2).float(), done, torch.zeros_like(done), {}

    def state(self):
        return {}, {"generator": self.generator.get_state(), "now": self.now}

    def restore_state(self, data, tensors):
        self.generator.set_state(tensors["generator"])
        self.now = tensors["now"].clone()
        return self.now, None


class Masked(Bandit):
    """Action 0 is illegal."""

    def _legal(self):
        return torch.tensor([[False, True, True, True]] * self.num_envs)

    def _draw(self):
        return super()._draw()[0], self._legal()

    def restore_state(self, data, tensors):
        return super().restore_state(data, tensors)[0], self._legal()


class NormNet(ActorCritic):
    """With batch norm and dropout, which act in train mode alone."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.body = nn.Sequential(nn.Linear(3, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.5))
        self.policy, self.value = nn.Linear(16, 4), nn.Linear(16, 1)

    def forward(self, x):
        y = self.body(x)
        return self.policy(y), self.value(y).squeeze(1)


def mlp(**options):
    torch.manual_seed(1)
    return models.create("mlp", observation_size=3, num_actions=4, **options)


def test_the_better_action_is_learned():
    model = mlp()
    run = train_ppo(model, Bandit(8), PPOOptions(total_steps=4000, num_steps=25, lr=0.01), seed=0)
    assert run.history[0].metrics["episode_return"] < 0.5
    assert run.history[-1].metrics["episode_return"] > 0.9
    assert run.history[-1].steps == 4000
    actions, _, _ = model.get_action_and_value(torch.randn(20, 3), deterministic=True)
    assert actions.eq(2).all()
    assert set(run.phases) >= {"acting", "environment", "rollout", "backward", "optimizer"}


@pytest.mark.parametrize("make", [mlp, NormNet])
def test_the_first_ratios_are_exactly_one(make):
    """One batch, one pass: nothing has moved yet, batch norm and dropout included."""
    options = PPOOptions(total_steps=40, num_steps=10, batch_size=40, passes=1, old_log_probs="recomputed")
    metrics = train_ppo(make(), Bandit(), options, seed=0).history[0].metrics
    assert metrics["approx_kl"] == 0.0
    assert metrics["clip_fraction"] == 0.0
    # The ratios being 1, the loss is minus the mean of advantages that were normalized.
    assert metrics["policy_loss"] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("make", [mlp, NormNet])
def test_the_update_sees_the_log_probabilities_of_the_rollout(make):
    options = PPOOptions(total_steps=40, num_steps=10, batch_size=40, passes=1)
    metrics = train_ppo(make(), Bandit(), options, seed=0).history[0].metrics
    assert abs(metrics["approx_kl"]) < 1e-6
    assert metrics["clip_fraction"] == 0.0


@pytest.mark.parametrize("after", [1, 3])
@pytest.mark.parametrize(("make", "compiled"), [(mlp, None), (NormNet, None), (mlp, "step")])
def test_a_run_that_was_killed_goes_on_to_the_same_bits(make, compiled, after):
    options, kept = PPOOptions(**SMALL, lr_schedule="linear", entropy_coef_end=0.0, compile=compiled), Kept()
    whole, rest = make(), make()
    history = train_ppo(whole, Bandit(), options, seed=3, recorder=kept, backend="aten").history
    torch.manual_seed(99)
    again = Kept(kept.states[after - 1])
    resumed = train_ppo(rest, Bandit(), options, seed=3, recorder=again, backend="aten").history
    assert resumed == history
    assert len(history) == 4
    mine, theirs = whole.state_dict(), rest.state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


ANNEALED = {"clip_end": 0.01, "entropy_coef": 0.1, "entropy_coef_end": 0.0, "target_kl": 10.0, "lr_schedule": "linear"}


@pytest.mark.parametrize("backend", ["aten", pytest.param("inductor", marks=pytest.mark.slow)])
def test_a_step_compiled_whole_learns_the_same_and_is_captured_once(backend):
    plain, fast = mlp(), mlp()
    before = tally.captures
    expected = train_ppo(plain, Masked(), PPOOptions(**SMALL, **ANNEALED), seed=0).history
    options = PPOOptions(**SMALL, **ANNEALED, compile="step")
    found = train_ppo(fast, Masked(), options, seed=0, backend=backend).history
    assert tally.captures == before + 1
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.metrics == pytest.approx(theirs.metrics, rel=1e-3, abs=1e-5)
    for mine, theirs in zip(fast.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-5)


def test_a_step_that_cannot_be_compiled_is_an_error():
    class Reading(NormNet):
        def forward(self, x):
            outputs, value = super().forward(x)
            return outputs * (1.0 if float(value.sum()) else 2.0), value

    with pytest.raises(NotApplicable, match="needs a value from the device"):
        train_ppo(Reading(), Bandit(), PPOOptions(**SMALL, compile="step"), seed=0, backend="aten")


@pytest.mark.parametrize("compiled", [None, "step"])
def test_the_norm_of_the_gradient_is_told_as_it_was_before_clipping(compiled):
    options = PPOOptions(total_steps=40, num_steps=10, batch_size=40, passes=1, optimizer="sgd", weight_decay=0.0)
    norms = []
    for clip_norm in (None, 1e-3):
        model = mlp()
        before = [parameter.detach().clone() for parameter in model.parameters()]
        made = replace(options, compile=compiled, clip_norm=clip_norm, lr=1.0)
        norms.append(train_ppo(model, Bandit(), made, seed=0, backend="aten").history[0].metrics["grad_norm"])
        moved = [new.detach() - old for new, old in zip(model.parameters(), before, strict=True)]
        expected = norms[0] if clip_norm is None else clip_norm
        assert float(nn.utils.get_total_norm(moved)) == pytest.approx(expected, rel=1e-3)
    assert norms[0] == pytest.approx(norms[1], rel=1e-5)


def test_equal_seeds_give_equal_runs_and_others_do_not():
    first, same, other = (train_ppo(mlp(), Bandit(), PPOOptions(**SMALL), seed=s).history for s in (0, 0, 1))
    assert first == same != other


def test_passes_end_where_the_policy_has_moved_too_far():
    far = PPOOptions(**SMALL, lr=0.1, target_kl=1e-3)
    batches = [update.batches for update in train_ppo(mlp(), Bandit(), far, seed=0).history]
    assert batches[0] == 5  # one pass of 40 samples in batches of 8
    near = PPOOptions(**SMALL, lr=1e-6, target_kl=1e-3)
    assert [update.batches for update in train_ppo(mlp(), Bandit(), near, seed=0).history] == [15] * 4


def test_schedules_reach_their_ends():
    options = PPOOptions(**SMALL, lr=0.01, lr_schedule="linear", lr_final_fraction=0.0)
    run = train_ppo(mlp(), Bandit(), options, seed=0)
    assert [update.metrics["learning_rate"] for update in run.history] == pytest.approx([0.01, 0.02 / 3, 0.01 / 3, 0.0])


def test_rollouts_and_updates_run_in_one_precision():
    seen = set()

    class Noting(NormNet):
        def forward(self, x):
            outputs, value = super().forward(x)
            seen.add((torch.is_grad_enabled(), outputs.dtype))
            return outputs, value

    run = train_ppo(Noting(), Bandit(), PPOOptions(**SMALL, amp="bfloat16", old_log_probs="recomputed"), seed=0)
    assert seen == {(False, torch.bfloat16), (True, torch.bfloat16)}
    assert all(math.isfinite(update.loss) for update in run.history)


def test_weights_in_channels_last_learn_the_same():
    class Board(Bandit):
        def __init__(self):
            super().__init__()
            self.observation_shape = (2, 9, 9)

        def _draw(self):
            return torch.randn(self.num_envs, 2, 9, 9, generator=self.generator), None

    losses = []
    for memory_format in ("contiguous", "channels_last"):
        torch.manual_seed(0)
        model = models.create("resnet", input_channels=2, num_actions=4, depth=1, width=4)
        options = PPOOptions(**SMALL, memory_format=memory_format)
        losses.append(train_ppo(model, Board(), options, seed=0).history[0].loss)
    assert model.blocks[0].conv1.weight.is_contiguous(memory_format=torch.channels_last)
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_batch_norm_follows_the_rollouts_between_updates():
    model = NormNet()
    train_ppo(model, Bandit(), PPOOptions(**SMALL), seed=0)
    assert model.body[1].running_var.ne(1.0).all()
    assert not model.training


def test_a_reward_that_is_nan_stops_the_run():
    class Broken(Bandit):
        def step(self, actions):
            *rest, infos = super().step(actions)
            rest[2] = rest[2] * float("nan")
            return *rest, infos

    with pytest.raises(NonFiniteError, match="in epoch 1, update 1"):
        train_ppo(mlp(), Broken(), PPOOptions(**SMALL), seed=0)


def test_a_model_compiled_in_place_learns_the_same(monkeypatch):
    """Defect 1: what is compiled must be what rollouts and updates run."""
    frames = []

    def compiled(self, *, mode):
        def backend(graph, example_inputs):
            frames.append(mode)
            return graph.forward

        nn.Module.compile(self, backend=backend)

    plain = train_ppo(mlp(), Bandit(), PPOOptions(**SMALL), seed=0)
    monkeypatch.setattr(type(mlp()), "compile", compiled, raising=False)
    fast = train_ppo(mlp(), Bandit(), PPOOptions(**SMALL, compile="default"), seed=0)
    assert len(frames) >= 2
    assert fast.history[-1].loss == pytest.approx(plain.history[-1].loss, rel=1e-4)


class Killed(Exception):
    """A run was ended between two updates."""


class KilledAfter(Kept):
    """Ends the run once so many updates are kept."""

    def __init__(self, state, updates):
        super().__init__(state)
        self.updates = updates

    def keep(self, state):
        super().keep(state)
        if len(state.log.epochs) == self.updates:
            raise Killed


def test_a_run_that_is_killed_ten_times_ends_with_the_same_bits():
    options = PPOOptions(**{**SMALL, "total_steps": 640}, lr_schedule="linear", entropy_coef_end=0.0)
    whole = mlp()
    history = train_ppo(whole, Masked(), options, seed=3).history
    kills, state = sorted(random.Random(0).sample(range(1, 16), 10)), None
    for updates in kills:
        recorder = KilledAfter(state, updates)
        with pytest.raises(Killed):
            train_ppo(mlp(), Masked(), options, seed=3, recorder=recorder)
        state = recorder.states[-1]
    rest = mlp()
    assert train_ppo(rest, Masked(), options, seed=3, recorder=Kept(state)).history == history
    assert all(map(torch.equal, whole.state_dict().values(), rest.state_dict().values()))


@pytest.mark.slow
@pytest.mark.parametrize("compiled", [None, "step"])
def test_two_thousand_updates_take_no_more_memory_and_no_new_graphs(compiled):
    process, seen, captures = psutil.Process(), [], []

    def look(update):
        if update.number in (500, 2000):
            gc.collect()
            seen.append(process.memory_info().rss)
            captures.append(tally.captures)

    options = PPOOptions(**{**SMALL, "total_steps": 80_000}, clip_end=0.1, entropy_coef_end=0.0, compile=compiled)
    train_ppo(mlp(), Masked(), options, seed=0, on_update=look, backend="aten")
    assert len(seen) == 2
    assert seen[1] - seen[0] < 16 * 2**20  # histories grow: 2,000 updates of a dozen numbers
    assert captures[0] == captures[1]
