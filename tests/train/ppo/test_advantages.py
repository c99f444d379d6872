import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hotloop.train.ppo.advantages import gae, next_values, normalized
from hotloop.train.ranks import Ranks


def by_definition(rewards, values, following, done, gamma, lam, sign):
    """One environment, in Python floats, backwards."""
    advantages, after = [0.0] * len(rewards), 0.0
    for t in reversed(range(len(rewards))):
        delta = rewards[t] + gamma * sign * following[t] - values[t]
        after = delta + (0.0 if done[t] else gamma * lam * sign * after)
        advantages[t] = after
    return advantages


def column(values):
    return torch.tensor(values, dtype=torch.float64)[:, None]


def test_a_game_of_two_that_the_second_side_wins():
    """By hand, gamma = lam = 1: what is good for the mover is bad for the side that moved before."""
    rewards, values = [0.0, 0.0, 0.0, 1.0], [0.1, 0.2, 0.3, 0.4]
    following = [0.2, 0.3, 0.4, 0.0]
    done = torch.tensor([[False], [False], [False], [True]])
    advantages = gae(column(rewards), column(values), column(following), done, gamma=1.0, lam=1.0, sign=-1.0)
    # The return of each move is +1 for the winner's moves and -1 for the loser's.
    torch.testing.assert_close((advantages + column(values)).flatten().tolist(), [-1.0, 1.0, -1.0, 1.0])


def test_defect_13_without_the_sign_the_loser_would_be_praised():
    rewards, zeros = column([0.0, 1.0]), column([0.0, 0.0])
    done = torch.tensor([[False], [True]])
    assert gae(rewards, zeros, zeros, done, gamma=1.0, lam=1.0, sign=-1.0)[0].item() == -1.0
    assert gae(rewards, zeros, zeros, done, gamma=1.0, lam=1.0)[0].item() == 1.0


def test_a_truncated_episode_goes_on_in_its_final_observation_and_not_in_the_next_episode():
    values, last = column([1.0, 2.0, 3.0]), torch.tensor([9.0], dtype=torch.float64)
    terminated = torch.tensor([[False], [False], [False]])
    truncated = torch.tensor([[False], [True], [False]])
    final = column([0.0, 7.0, 0.0])
    following = next_values(values, last, terminated_TN=terminated, truncated_TN=truncated, final_values_TN=final)
    assert following.flatten().tolist() == [2.0, 7.0, 9.0]
    advantages = gae(column([0.0] * 3), values, following, truncated, gamma=0.5, lam=1.0)
    assert advantages.flatten().tolist() == [0.0 + 0.5 * 1.5, 3.5 - 2.0, 4.5 - 3.0]


def test_a_terminated_episode_has_no_value_after_it():
    values, terminated = column([1.0, 2.0]), torch.tensor([[True], [True]])
    following = next_values(
        values,
        torch.tensor([9.0], dtype=torch.float64),
        terminated_TN=terminated,
        truncated_TN=torch.zeros_like(terminated),
        final_values_TN=column([5.0, 5.0]),
    )
    assert following.flatten().tolist() == [0.0, 0.0]


@settings(max_examples=60, deadline=None)
@given(
    steps=st.integers(1, 40),
    seed=st.integers(0, 1000),
    gamma=st.floats(0.0, 1.0),
    lam=st.floats(0.0, 1.0),
    sign=st.sampled_from([1.0, -1.0]),
)
def test_the_scan_equals_the_definition_for_any_ends(steps, seed, gamma, lam, sign):
    generator = torch.Generator().manual_seed(seed)
    rewards, values, following = torch.randn(3, steps, 3, generator=generator, dtype=torch.float64)
    done = torch.rand(steps, 3, generator=generator) < 0.2
    found = gae(rewards, values, following, done, gamma=gamma, lam=lam, sign=sign)
    for n in range(3):
        parts = (rewards[:, n].tolist(), values[:, n].tolist(), following[:, n].tolist(), done[:, n].tolist())
        expected = torch.tensor(by_definition(*parts, gamma, lam, sign), dtype=torch.float64)
        torch.testing.assert_close(found[:, n], expected, rtol=0, atol=1e-9)


def test_inputs_stay_as_they_were():
    rewards, values = torch.ones(5, 2), torch.ones(5, 2)
    gae(rewards, values, values, torch.zeros(5, 2, dtype=torch.bool), gamma=0.9, lam=0.9)
    assert rewards.eq(1).all()
    assert values.eq(1).all()


def test_advantages_are_normalized_over_all_samples_unless_they_hardly_differ():
    found = normalized(torch.arange(12.0).view(4, 3))
    assert found.mean().item() == pytest.approx(0.0, abs=1e-6)
    assert found.std().item() == pytest.approx(1.0)
    assert torch.equal(normalized(torch.full((4, 3), 2.0)), torch.full((4, 3), 2.0))
    assert normalized(torch.tensor([[5.0]])).item() == 5.0


class OtherRank(Ranks):
    """The first of two ranks, whose sums are given the other's."""

    def sum(self, values):
        return values + self.others.pop(0)


def test_advantages_are_normalized_over_all_ranks():
    all_of_them = torch.randn(10, 4, dtype=torch.float64)
    mine, theirs = all_of_them[:, :1], all_of_them[:, 1:]
    ranks = OtherRank(rank=0, size=2)
    sums = [torch.stack([torch.tensor(30.0), theirs.sum()]), (theirs - all_of_them.mean()).square().sum()]
    object.__setattr__(ranks, "others", sums)
    torch.testing.assert_close(normalized(mine, ranks), normalized(all_of_them)[:, :1])
