import json

import pytest
import torch

from hotloop.train.ppo.players import RandomPlayer

pytest.importorskip("rsshogi")

from hotloop.workloads.environments.shogi import ShogiConfig, ShogiEnvironment


def made(num_envs=2, **options):
    return ShogiEnvironment(ShogiConfig(num_envs=num_envs, **options))


def played(environment, shown, player, steps):
    """What each step gave, and what is shown in the end."""
    results = []
    for _ in range(steps):
        observations, legal, rewards, terminated, truncated, infos = environment.step(player(*shown))
        shown = (observations, legal)
        results.append([part.clone() for part in (observations, legal, rewards, terminated, truncated)])
    return results, shown, infos


def test_it_is_a_game_of_two_with_masks():
    environment = made()
    observations, legal = environment.reset()
    assert environment.alternates
    assert observations.shape == (2, *environment.observation_shape) == (2, 46, 9, 9)
    assert legal.sum(1).tolist() == [30, 30]
    assert environment.actions.num_actions == legal.shape[1] == 13_527
    assert made(actions="spatial", num_planes=50).actions.num_actions == 11_259


def test_a_game_that_is_cut_off_leaves_its_last_position_and_its_record(tmp_path):
    environment, player = made(max_plies=6), RandomPlayer(0)
    results, _, infos = played(environment, environment.reset(), player, 6)
    assert results[-1][4].all()
    assert infos["final_observations"].shape == (2, 46, 9, 9)
    assert not torch.equal(infos["final_observations"], results[-1][0])
    record = infos["games"][0]
    environment.write_game(record, tmp_path / "a", first="x", second="y")
    assert {path.name for path in tmp_path.iterdir()} == {"a.kif", "a.usi"}
    positions = environment.positions(record)
    assert len(positions) == 7
    assert positions[0]["sfen"].startswith("lnsgkgsnl/")
    assert [shown["move"] for shown in positions[1:]] == list(record.moves)


def test_games_go_on_exactly_where_their_state_was_taken():
    whole, rest, player = (
        made(random_plies=4, max_plies=30),
        made(seed=9, random_plies=4, max_plies=30),
        RandomPlayer(1),
    )
    played(whole, whole.reset(), player, 20)
    data, tensors = whole.state()
    rest.reset()
    shown = rest.restore_state(json.loads(json.dumps(data)), tensors)
    mine, _, _ = played(whole, tuple(part.clone() for part in shown), RandomPlayer(2), 25)
    theirs, _, _ = played(rest, shown, RandomPlayer(2), 25)
    for a, b in zip(mine, theirs, strict=True):
        assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_material_is_added_to_rewards_and_not_to_results():
    plain, helped = made(seed=3), made(seed=3, material_reward=7.6)
    shown, same = plain.reset(), helped.reset()
    player, again = RandomPlayer(0), RandomPlayer(0)
    differences = []
    for _ in range(120):
        observations, legal, rewards, *_ = plain.step(player(*shown))
        other, other_legal, more, _, _, infos = helped.step(again(*same))
        shown, same = (observations, legal), (other, other_legal)
        assert torch.equal(infos["outcomes"], rewards)
        differences += (more - rewards).tolist()
    pawns = [round(value * 10) for value in differences]
    assert max(pawns) > 0 == min(pawns)  # a move never loses material
    assert differences == pytest.approx([value / 10 for value in pawns], abs=1e-5)


def test_scores_are_the_material_that_who_acted_led_by_before():
    """Each is what the mover has won so far in the game, less what the other side has."""
    environment, player = made(num_envs=3, seed=5, material_reward=76.0), RandomPlayer(0)
    shown, won, told = environment.reset(), torch.zeros(2, 3), 0
    for ply in range(150):
        observations, legal, rewards, terminated, truncated, infos = environment.step(player(*shown))
        shown, mover = (observations, legal), ply % 2
        if (terminated | truncated).any():
            break  # the next game would begin with the other side in its row
        torch.testing.assert_close(infos["scores"] * 76, won[mover] - won[1 - mover])
        told += int(infos["scores"].ne(0.0).sum())
        won[mover] += rewards
    assert told > 10


def test_leaving_few_replies_is_rewarded():
    plain, helped = made(seed=3), made(seed=3, reply_reward=0.5)
    shown, same = plain.reset(), helped.reset()
    player, again, few = RandomPlayer(0), RandomPlayer(0), 0
    for _ in range(150):
        observations, legal, rewards, terminated, truncated, _ = plain.step(player(*shown))
        other, other_legal, more, *_ = helped.step(again(*same))
        shown, same = (observations, legal), (other, other_legal)
        goes_on = ~(terminated | truncated)
        replies = legal.sum(1)  # of the side to move now: the other one, where the game goes on
        expected = 0.5 * (1 - replies / 16).clamp(min=0.0)
        torch.testing.assert_close((more - rewards)[goes_on], expected[goes_on])
        few += int((replies < 16).sum())
    assert few > 2
