import pytest
import torch

from hotloop.errors import ModelError, WorkloadError
from hotloop.models.policy.schema import checked_config
from hotloop.train.ppo.environment import ContinuousActions, DiscreteActions
from hotloop.workloads.environments.gymnasium import GymnasiumConfig, GymnasiumEnvironment


def made(identity, num_envs=3, seed=0):
    return GymnasiumEnvironment(GymnasiumConfig(id=identity, num_envs=num_envs, seed=seed))


def drawn(environment, generator):
    if isinstance(environment.actions, ContinuousActions):
        return torch.randn(environment.num_envs, environment.actions.size, generator=generator) * 4
    return torch.randint(environment.actions.num_actions, (environment.num_envs,), generator=generator)


def played(environment, steps, generator):
    return [[part.clone() for part in environment.step(drawn(environment, generator)) if isinstance(part, torch.Tensor)]
            for _ in range(steps)]  # fmt: skip


def test_observations_and_actions_are_those_of_gymnasium():
    cart, pendulum = made("CartPole-v1"), made("Pendulum-v1")
    assert (cart.observation_shape, cart.actions) == ((4,), DiscreteActions(num_actions=2))
    assert (pendulum.observation_shape, pendulum.actions) == ((3,), ContinuousActions(size=1))
    assert cart.reset()[0].shape == (3, 4)
    assert not cart.alternates


def test_an_episode_that_ends_leaves_its_final_observation_and_starts_anew():
    environment = made("CartPole-v1", num_envs=1)
    environment.reset()
    for _ in range(100):
        observations, legal, rewards, terminated, truncated, infos = environment.step(torch.tensor([1]))
        if terminated[0]:
            break
    assert legal is None
    assert rewards.item() == 1.0
    assert not truncated.item()
    assert infos["final_observations"][0, 2].abs() > 0.2  # the pole has fallen beyond 12 degrees
    assert observations.abs().max() < 0.06


def test_a_time_limit_truncates():
    environment = made("Pendulum-v1", num_envs=2)
    environment.reset()
    for _ in range(200):
        _, _, _, terminated, truncated, _ = environment.step(torch.zeros(2, 1))
    assert truncated.all()
    assert not terminated.any()


@pytest.mark.parametrize("identity", ["CartPole-v1", "Pendulum-v1", "MountainCar-v0", "Acrobot-v1"])
def test_an_environment_goes_on_exactly_where_its_state_was_taken(identity):
    whole, rest = made(identity), made(identity, seed=7)
    whole.reset()
    played(whole, 17, torch.Generator().manual_seed(0))
    data, tensors = whole.state()
    rest.reset()
    played(rest, 5, torch.Generator().manual_seed(3))
    now, legal = rest.restore_state(data, tensors)
    assert legal is None
    assert torch.equal(now, whole.state()[1]["now"])
    after = [played(environment, 220, torch.Generator().manual_seed(1)) for environment in (whole, rest)]
    for mine, theirs in zip(*after, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))


def test_what_cannot_be_taken_is_refused():
    with pytest.raises(WorkloadError, match="gymnasium makes no 'Nothing-v1'"):
        made("Nothing-v1")
    with pytest.raises(ModelError, match="id: missing"):
        checked_config(GymnasiumConfig, {}, owner="environment 'gymnasium'")
