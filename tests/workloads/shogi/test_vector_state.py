"""Many games go on exactly where they were saved."""

import pytest
import torch

from hotloop.workloads.shogi import ShogiError, VectorShogi

OPTIONS = {"max_plies": 50, "random_plies": 10, "num_planes": 50}


def steps(env: VectorShogi, count: int) -> list[torch.Tensor]:
    """Everything that `count` random steps return, copied."""
    tensors: list[torch.Tensor] = []
    for _ in range(count):
        *parts, infos = env.step(env.random_actions())
        tensors += [part.clone() for part in parts]
        tensors += [infos[name].clone() for name in ("reasons", "winners", "plies", "side_to_move", "movers")]
        ended = sorted(infos["games"])
        tensors += [infos["terminal_observations"][ended].clone()]
    return tensors


@pytest.mark.parametrize("actions", ["flat", "spatial"])
def test_a_continuation_is_bit_equal(actions, tmp_path):
    env = VectorShogi(6, seed=5, actions=actions, **OPTIONS)
    steps(env, 70)  # past the end of some games
    torch.save(env.state_dict(), tmp_path / "state.pt")
    expected = steps(env, 70)
    other = VectorShogi(6, seed=99, actions=actions, **OPTIONS)
    steps(other, 3)
    observations, masks = other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert (observations is other.observations, masks is other.masks) == (True, True)
    assert all(map(torch.equal, expected, steps(other, 70)))


def test_what_has_stood_before_is_saved():
    env = VectorShogi(1, num_planes=50)
    env.from_usi(["position startpos moves 2h3h 8b7b 3h2h 7b8b 2h3h 8b7b 3h2h"])
    other = VectorShogi(1, num_planes=50)
    other.load_state_dict(env.state_dict())
    observations = other.step([other.action_from_usi(0, "7b8b")])[0]
    assert observations[0, 44:48].amax(dim=(1, 2)).tolist() == [0.0, 0.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 0}, "got a state of version 0; load one of version 1"),
        ({"random_state": "{}"}, "the saved random state is damaged"),
        ({"random_state": "not JSON"}, "the saved random state is damaged"),
    ],
)
def test_another_state_is_refused_and_changes_nothing(change, message):
    env = VectorShogi(2, seed=1)
    env.step(env.random_actions())
    before, state = env.state_dict(), VectorShogi(2, seed=2).state_dict()
    with pytest.raises(ShogiError, match=message):
        env.load_state_dict({**state, **change})
    assert env.state_dict()["random_state"] == before["random_state"]
    assert torch.equal(env.state_dict()["games"]["moves"], before["games"]["moves"])


def test_other_settings_are_named():
    state = VectorShogi(2, actions="spatial", max_plies=100).state_dict()
    with pytest.raises(ShogiError, match="played with another num_envs, actions, max_plies: make these settings equal"):
        VectorShogi(3).load_state_dict(state)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_envs": 0}, "got 0 games; ask for at least one"),
        ({"num_envs": 1, "num_planes": 51}, "got 51 planes; choose one of 46, 50"),
        ({"num_envs": 1, "max_plies": 0}, "0 random plies in games of at most 0"),
        ({"num_envs": 1, "max_plies": 9, "random_plies": 9}, "ask for none or more, and fewer than a game has"),
        ({"num_envs": 1, "random_plies": -1}, "got -1 random plies"),
        ({"num_envs": 1, "declaration_points": (0, 27)}, "ask for at least one of each side, or give None"),
    ],
)
def test_settings_that_mean_nothing_are_refused(options, message):
    with pytest.raises(ShogiError, match=message):
        VectorShogi(**options)
