import pytest
import torch

from hotloop import models
from hotloop.errors import ModelError


def test_the_default_has_the_size_of_the_specification():
    with torch.device("meta"):
        made = models.create("se_resnet", input_channels=50)
    assert 53.0e6 < sum(parameter.numel() for parameter in made.parameters()) < 53.9e6


def test_actions_go_by_square_then_by_plane():
    made = models.create("se_resnet", input_channels=3, num_actions=162, depth=1, width=4).eval()
    x = torch.randn(2, 3, 9, 9)
    planes = made.policy_head(made.blocks(made.stem(x)))
    assert torch.equal(made(x)[0][:, 2 * (9 * 4 + 7) + 1], planes[:, 1, 4, 7])


def test_the_value_is_the_chance_to_win_less_that_to_lose():
    made = models.create("se_resnet", input_channels=3, num_actions=162, depth=1, width=4).eval()
    x = torch.randn(5, 3, 9, 9)
    chances = made.heads(x).outcome.softmax(1)
    torch.testing.assert_close(made(x)[1], chances[:, 0] - chances[:, 2])
    assert made.heads(x).score.shape == (5,)


def test_actions_that_make_no_planes_are_refused():
    with pytest.raises(ModelError, match="got num_actions=100; the policy has whole planes"):
        models.create("se_resnet", input_channels=46, num_actions=100)


def test_a_dead_channel_gives_no_nan():
    made = models.create("se_resnet", input_channels=3, num_actions=162, depth=1, width=4)
    made.evaluate_actions(torch.zeros(2, 3, 9, 9), torch.zeros(2, dtype=torch.int64))[0].sum().backward()
    assert all(p.grad.isfinite().all() for p in made.parameters() if p.grad is not None)
