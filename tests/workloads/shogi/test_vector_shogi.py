"""Many games side by side: legal actions, what a step returns, and what stays when something is refused."""

import numpy as np
import pytest
import torch

from hotloop.workloads.shogi import EndReason, IllegalAction, ShogiError, VectorShogi
from hotloop.workloads.shogi.engine import INITIAL_SFEN, board_from_sfen

MATE_IN_ONE = "4k4/9/4P4/9/9/9/9/9/4K4 b G 1"  # by a gold on 5b


def step_usi(env: VectorShogi, *moves: str):
    return env.step([env.action_from_usi(index, usi) for index, usi in enumerate(moves)])


def test_the_first_observations_and_masks_are_those_of_the_start():
    observations, masks = VectorShogi(3).reset()
    assert (observations.shape, observations.dtype) == ((3, 46, 9, 9), torch.float32)
    assert (masks.shape, masks.dtype) == ((3, 13_527), torch.bool)
    assert masks.sum(dim=1).tolist() == [30, 30, 30]


def test_a_step_returns_the_same_tensors_with_the_next_positions():
    env = VectorShogi(2)
    first_observations, first_masks = env.reset()
    observations, masks, rewards, terminated, truncated, infos = step_usi(env, "7g7f", "2g2f")
    assert (observations is first_observations, masks is first_masks) == (True, True)
    assert [tensor.dtype for tensor in (rewards, terminated, truncated)] == [torch.float32, torch.bool, torch.bool]
    assert (infos["movers"].tolist(), infos["side_to_move"].tolist()) == ([0, 0], [1, 1])
    assert (infos["plies"].tolist(), infos["games"]) == ([1, 1], {})


@pytest.mark.parametrize("actions", ["flat", "spatial"])
def test_masks_are_the_legal_moves_all_through_random_games(actions):
    env = VectorShogi(8, seed=3, actions=actions, max_plies=60, random_plies=20)
    for _ in range(100):
        masks = env.step(env.random_actions())[1]
        for index in range(8):
            moves = board_from_sfen(env.sfen(index)).legal_moves()
            legal = sorted(env.action_from_usi(index, move.to_usi()) for move in moves)
            assert np.flatnonzero(masks[index].numpy()).tolist() == legal


@pytest.mark.slow
@pytest.mark.parametrize("actions", ["flat", "spatial"])
def test_masks_are_the_legal_moves_of_20_000_positions(actions):
    env = VectorShogi(40, seed=4, actions=actions, max_plies=300)
    for _ in range(500):
        masks = env.step(env.random_actions())[1]
        for index in range(40):
            moves = board_from_sfen(env.sfen(index)).legal_moves()
            legal = sorted(env.action_from_usi(index, move.to_usi()) for move in moves)
            assert np.flatnonzero(masks[index].numpy()).tolist() == legal


@pytest.mark.parametrize("bad", ["5i5a", 13_527, -1])
def test_an_illegal_action_moves_no_game(bad):
    env = VectorShogi(2)
    before = [tensor.clone() for tensor in env.reset()]
    action = env.action_from_usi(1, bad) if isinstance(bad, str) else bad
    with pytest.raises(IllegalAction, match=r"of game 1 is not legal in 'lnsg.*1 of 2 actions are not.*has moved"):
        env.step([env.action_from_usi(0, "7g7f"), action])
    assert [env.sfen(0), env.sfen(1)] == [INITIAL_SFEN, INITIAL_SFEN]
    assert all(map(torch.equal, before, (env.observations, env.masks)))


@pytest.mark.parametrize("actions", [[1], [1, 2, 3], [[1, 2]], [0.5, 1.0], torch.tensor([True, False])], ids=str)
def test_actions_of_another_shape_or_type_are_refused(actions):
    with pytest.raises(ShogiError, match="give 2 whole numbers, one for each game"):
        VectorShogi(2).step(actions)


def test_actions_may_be_a_list_an_array_or_a_tensor():
    sfens = set()
    for kind in (list, np.array, torch.tensor, lambda values: torch.tensor(values, dtype=torch.int32)):
        env = VectorShogi(2)
        env.step(kind([env.action_from_usi(0, "7g7f"), env.action_from_usi(1, "2g2f")]))
        sfens.add((env.sfen(0), env.sfen(1)))
    assert len(sfens) == 1


def test_a_game_that_has_ended_begins_anew_and_leaves_its_last_position():
    env = VectorShogi(2)
    env.from_sfen([MATE_IN_ONE, INITIAL_SFEN])
    observations, masks, rewards, terminated, truncated, infos = step_usi(env, "G*5b", "7g7f")
    assert (rewards.tolist(), terminated.tolist(), truncated.tolist()) == ([1.0, 0.0], [True, False], [False, False])
    assert infos["reasons"].tolist() == [EndReason.CHECKMATE, EndReason.ONGOING]
    assert (infos["winners"].tolist(), infos["plies"].tolist()) == ([0, -1], [1, 1])
    assert (infos["terminal_side_to_move"][0], infos["side_to_move"].tolist()) == (1, [0, 1])
    assert (env.sfen(0), masks.sum(dim=1).tolist()) == (INITIAL_SFEN, [30, 30])
    last = infos["terminal_observations"][0]  # White's view: its king on 5i, Black's gold on 5h, the pawn on 5g
    assert [last[plane, row, 4].item() for plane, row in ((7, 8), (18, 7), (14, 6))] == [1.0, 1.0, 1.0]
    assert torch.equal(observations[0], VectorShogi(1).observations[0])


def test_the_last_position_of_a_game_that_was_cut_off_is_what_follows_the_move():
    env, twin = VectorShogi(1, max_plies=2), VectorShogi(1)
    for usi in ("7g7f", "3c3d"):
        *_, truncated, infos = step_usi(env, usi)
        observations = step_usi(twin, usi)[0]
    assert (truncated.tolist(), infos["terminal_side_to_move"].tolist()) == ([True], [0])
    assert torch.equal(infos["terminal_observations"], observations)


def test_the_record_of_a_game_is_there_when_it_ends():
    env = VectorShogi(2)
    env.from_sfen([INITIAL_SFEN, MATE_IN_ONE])
    (index, record), *more = step_usi(env, "7g7f", "G*5b")[5]["games"].items()
    assert (index, more) == (1, [])
    assert (record.start_sfen, record.moves, record.winner) == (MATE_IN_ONE, ("G*5b",), 0)
    assert record.reason is EndReason.CHECKMATE
    assert env.record(0).moves == ("7g7f",)


def test_white_is_given_the_reward_of_its_own_move():
    env = VectorShogi(1)
    env.from_sfen(["4k4/9/9/9/9/9/4p4/9/4K4 w g 1"])
    _, _, rewards, _, _, infos = step_usi(env, "G*5h")
    assert (rewards.tolist(), infos["movers"].tolist(), infos["winners"].tolist()) == ([1.0], [1], [1])


def test_the_same_seed_plays_the_same_games_and_another_does_not():
    played = []
    for seed in (1, 1, 2):
        env = VectorShogi(4, seed=seed, random_plies=6)
        for _ in range(20):
            env.step(env.random_actions())
        played.append([env.record(index).moves for index in range(4)])
    assert played[0] == played[1] != played[2]


def test_random_openings_count_as_moves_of_the_game():
    env = VectorShogi(64, random_plies=6, max_plies=7)
    plies = {int(n) for n in env.step(env.random_actions())[5]["plies"]}
    assert plies == {1, 2, 3, 4, 5, 6, 7}


def test_reset_begins_every_game_anew():
    env = VectorShogi(2)
    step_usi(env, "7g7f", "2g2f")
    env.reset()
    assert [env.sfen(0), env.sfen(1)] == [INITIAL_SFEN, INITIAL_SFEN]


@pytest.mark.parametrize(
    ("sfens", "message"),
    [
        ([INITIAL_SFEN], "got 1 positions for 2 games; give one for each"),
        ([INITIAL_SFEN, "nonsense"], "'nonsense' is no SFEN"),
        ([INITIAL_SFEN, "8k/8G/8P/9/9/9/9/9/4K4 w - 9"], r"the game is over in '8k/.*' \(checkmate\)"),
        ([INITIAL_SFEN, "+P+P+P+P+P+PRBK/+P+P7/9/9/9/9/9/9/4k4 b RB 1"], r"is over in .* \(declaration\)"),
    ],
)
def test_positions_that_cannot_go_on_are_refused_and_change_nothing(sfens, message):
    env = VectorShogi(2)
    step_usi(env, "7g7f", "2g2f")
    before = [env.sfen(0), env.sfen(1)]
    with pytest.raises(ShogiError, match=message):
        env.from_sfen(sfens)
    assert [env.sfen(0), env.sfen(1)] == before


def test_positions_are_told_as_they_were_given():
    env = VectorShogi(2)
    sfens = ["4k4/9/9/9/9/9/9/9/4K4 w 2R17Pb 77", "R8/2K1S1SSk/4B4/9/9/9/9/9/1L1L1L3 b RBGSNLP3g3n17p 1"]
    masks = env.from_sfen(sfens)[1]
    assert [env.sfen(0), env.sfen(1)] == sfens
    assert masks[1].sum() == 593


def test_games_are_set_up_from_usi_with_what_has_stood_in_them():
    env = VectorShogi(1)
    env.from_usi(["position startpos moves " + "2h3h 8b7b 3h2h 7b8b " * 2 + "2h3h 8b7b 3h2h"])
    assert step_usi(env, "7b8b")[5]["reasons"].tolist() == [EndReason.FOURFOLD_REPETITION]


def test_actions_are_named_in_usi():
    env = VectorShogi(1, actions="spatial")
    step_usi(env, "7g7f")
    assert env.action_to_usi(0, env.action_from_usi(0, "3c3d")) == "3c3d"


@pytest.mark.gpu
def test_what_goes_to_the_device_is_pinned():
    env = VectorShogi(2)
    assert env.observations.is_pinned()
    assert env.masks.is_pinned()
    actions = env.masks.to("cuda", non_blocking=True).int().argmax(dim=1)
    assert env.step(actions)[0].is_pinned()
