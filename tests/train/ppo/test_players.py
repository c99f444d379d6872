import pytest
import torch
from torch import nn

from hotloop.models.policy.network_call import NetworkCall
from hotloop.train.ppo.players import NetworkPlayer, RandomPlayer


class Prefers(nn.Module):
    """Likes higher actions better; notes its mode."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))
        self.modes = []

    def forward(self, x):
        self.modes.append(self.training)
        return self.scale * torch.arange(4.0).expand(len(x), 4), x[:, 0]


def test_a_network_plays_the_likeliest_legal_action_in_eval_mode():
    model = Prefers().train()
    player = NetworkPlayer("net", model, NetworkCall(None), deterministic=True)
    legal = torch.tensor([[True, True, False, False], [True, False, False, True]])
    assert player(torch.zeros(2, 1), legal).tolist() == [1, 3]
    assert model.modes == [False]


def test_a_network_that_draws_takes_every_legal_action_now_and_then():
    torch.manual_seed(0)
    player = NetworkPlayer("net", Prefers(), NetworkCall(None))
    legal = torch.tensor([[True, True, False, True]]).expand(500, 4)
    assert set(player(torch.zeros(500, 1), legal).tolist()) == {0, 1, 3}


def test_a_random_player_takes_all_legal_actions_alike_and_repeats_with_its_seed():
    legal = torch.tensor([[False, True, True, False]]).expand(2000, 4)
    moves = RandomPlayer(3)(torch.zeros(2000, 1), legal)
    assert set(moves.tolist()) == {1, 2}
    assert 900 < int((moves == 1).sum()) < 1100
    assert torch.equal(moves, RandomPlayer(3)(torch.zeros(2000, 1), legal))


def test_a_random_player_needs_masks():
    with pytest.raises(ValueError, match="needs masks of legal actions"):
        RandomPlayer(0)(torch.zeros(1, 1), None)
