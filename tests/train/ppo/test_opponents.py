import pytest
import torch
from kept_states import Kept

from hotloop import models
from hotloop.errors import WorkloadError
from hotloop.models.policy.distribution import MaskedCategorical
from hotloop.models.policy.network_call import NetworkCall
from hotloop.train.ppo.opponents import Opponents
from hotloop.train.ppo.options import OpponentOptions, PPOOptions
from hotloop.train.ppo.run import train_ppo

LEGAL = torch.tensor([[False, True, True, True]] * 4)


def opponents_of(model, *, num_envs=4, **options):
    return Opponents(model, NetworkCall(None), MaskedCategorical(), OpponentOptions(**options), num_envs=num_envs)


def mlp():
    torch.manual_seed(0)
    return models.create("mlp", observation_size=2, num_actions=4)


def test_each_share_is_first_in_half_of_its_games():
    opponents = opponents_of(mlp(), random=0.5)
    assert opponents.is_own(torch.tensor([0, 0, 0, 0])).tolist() == [True, False, True, True]
    assert opponents.is_own(torch.tensor([1, 1, 1, 3])).tolist() == [False, True, True, True]


def test_the_policy_plays_itself_until_there_is_an_earlier_self():
    opponents = opponents_of(mlp(), earlier=1.0, every=2, kept=1)
    plies = torch.zeros(4, dtype=torch.int64)
    opponents.end(1)
    opponents.begin()
    assert opponents.is_own(plies).all()
    opponents.end(2)
    opponents.begin()
    assert opponents.is_own(plies).tolist() == [True, False, True, False]


def test_a_random_mover_plays_every_legal_action_and_nobody_elses_move_changes():
    torch.manual_seed(0)
    opponents = opponents_of(mlp(), random=0.5)
    lists = torch.tensor([[1, 2, 3, -1]] * 4, dtype=torch.int32)
    own, seen = torch.tensor([True, False, True, True]), set()
    for _ in range(60):
        chosen = opponents.replace(torch.zeros(4, dtype=torch.int64), own, torch.zeros(4, 2), lists)
        assert chosen[[0, 2, 3]].eq(0).all()
        seen.add(int(chosen[1]))
    assert seen == {1, 2, 3}


def test_an_earlier_self_plays_as_it_was_when_it_was_kept():
    model = mlp()
    with torch.no_grad():
        model.policy[-1].bias.copy_(torch.tensor([0.0, 0.0, 50.0, 0.0]))
    opponents = opponents_of(model, earlier=1.0, every=1)
    opponents.end(1)
    with torch.no_grad():
        model.policy[-1].bias.copy_(torch.tensor([0.0, 50.0, 0.0, 0.0]))
    opponents.begin()
    lists = torch.tensor([[1, 2, 3, -1]] * 4, dtype=torch.int32)
    chosen = opponents.replace(torch.zeros(4, dtype=torch.int64), torch.zeros(4) > 1, torch.randn(4, 2), lists)
    assert chosen.tolist() == [2] * 4


def run_of(counter, options, **changes):
    model = mlp()
    environment = counter(((3, 5), (4,), (7,), (2, 6)), alternates=True, legal=LEGAL)
    made = PPOOptions(total_steps=160, num_steps=10, batch_size=8, passes=2, opponents=options)
    return model, train_ppo(model, environment, made, seed=0, **changes)


@pytest.mark.parametrize("after", [2, 3])
def test_a_run_against_opponents_goes_on_to_the_same_bits(counter, after):
    options, kept = OpponentOptions(random=0.25, earlier=0.5, every=1, kept=2), Kept()
    whole, history = run_of(counter, options, recorder=kept)
    rest, again = run_of(counter, options, recorder=Kept(kept.states[after - 1]))
    assert again.history == history.history
    assert all(map(torch.equal, whole.state_dict().values(), rest.state_dict().values()))


def test_the_policy_learns_nothing_from_the_moves_of_others(counter):
    """Where all samples are an opponent's, the policy head gets no gradient and the value head does."""
    from hotloop.train.strategies.ppo import PPO, PPOBatch

    model = mlp()
    batch = PPOBatch(
        torch.randn(6, 2),
        torch.tensor([1, 2, 3, 1, 2, 3]),
        None,
        torch.full((6,), -50.0),
        torch.zeros(6),
        torch.randn(6),
        torch.ones(6),
        torch.zeros(6, dtype=torch.bool),
    )
    loss = PPO(MaskedCategorical(), NetworkCall(None)).loss(model, batch)
    loss.value.backward()
    assert all(parameter.grad.eq(0).all() for parameter in model.policy.parameters())
    assert any(parameter.grad.ne(0).any() for parameter in model.value.parameters())
    assert loss.metrics["approx_kl"] == 0.0


def test_no_game_of_two_has_no_opponents(counter):
    with pytest.raises(WorkloadError, match="no game of two"):
        train_ppo(mlp(), counter(), PPOOptions(total_steps=8, opponents=OpponentOptions(random=1.0)))


def test_shares_above_one_whole_are_refused():
    with pytest.raises(ValueError, match="shares of one whole"):
        OpponentOptions(random=0.7, earlier=0.7)
