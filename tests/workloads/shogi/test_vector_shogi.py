"""Many games side by side: legal actions, endings, and what stays when something is refused."""

import numpy as np
import pytest
import torch

from hotloop.workloads.shogi import EndReason, IllegalAction, ShogiError, VectorShogi
from hotloop.workloads.shogi.engine import INITIAL_SFEN, board_from_sfen

# Black mates by the gold to 5b; White is mated by nothing else.
MATE_IN_ONE = "4k4/9/4P4/9/9/9/9/9/4K4 b G 1"


def step_usi(env: VectorShogi, *moves: str):
    return env.step([env.action_from_usi(index, usi) for index, usi in enumerate(moves)])


def test_the_first_observations_and_masks_are_those_of_the_start():
    observations, masks = VectorShogi(3).reset()
    assert (observations.shape, observations.dtype) == ((3, 46, 9, 9), torch.float32)
    assert (masks.shape, masks.dtype) == ((3, 13_527), torch.bool)
    assert masks.sum(dim=1).tolist() == [30, 30, 30]


@pytest.mark.parametrize("actions", ["flat", "spatial"])
def test_masks_are_the_legal_moves_all_through_random_games(actions):
    env = VectorShogi(8, seed=3, actions=actions, max_plies=60, random_plies=20)
    for _ in range(120):
        masks = env.step(env.random_actions())[1]
        for index in range(8):
            legal = sorted(
                env.action_from_usi(index, m.to_usi()) for m in board_from_sfen(env.sfen(index)).legal_moves()
            )
            assert np.flatnonzero(masks[index].numpy()).tolist() == legal


def test_an_illegal_action_moves_no_game():
    env = VectorShogi(2)
    before = [tensor.clone() for tensor in (env.observations, env.masks)]
    good, bad = env.action_from_usi(0, "7g7f"), env.action_from_usi(1, "5i5a")
    with pytest.raises(IllegalAction, match=r"of game 1 is not legal in 'lnsg.*1 of 2 actions"):
        env.step([good, bad])
    assert [env.sfen(0), env.sfen(1)] == [INITIAL_SFEN, INITIAL_SFEN]
    assert all(map(torch.equal, before, (env.observations, env.masks)))


def test_a_mate_is_won_by_the_mover_and_the_next_game_begins():
    env = VectorShogi(2)
    env.from_sfen([MATE_IN_ONE, INITIAL_SFEN])
    _, masks, rewards, terminated, truncated, infos = step_usi(env, "G*5b", "7g7f")
    assert (rewards.tolist(), terminated.tolist(), truncated.tolist()) == ([1.0, 0.0], [True, False], [False, False])
    assert infos["reasons"].tolist() == [EndReason.CHECKMATE, EndReason.ONGOING]
    assert infos["winners"].tolist() == [0, -1]
    assert env.sfen(0) == INITIAL_SFEN
    assert masks.sum(dim=1).tolist() == [30, 30]
    assert infos["games"][0].moves == ("G*5b",)


def test_the_number_of_positions_must_be_that_of_the_games():
    with pytest.raises(ShogiError, match="got 1 positions for 2 games"):
        VectorShogi(2).from_sfen([INITIAL_SFEN])
