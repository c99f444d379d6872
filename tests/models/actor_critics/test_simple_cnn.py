import torch

from hotloop import models


def test_sixteen_channels_feed_two_linear_heads():
    made = models.create("simple_cnn", input_channels=46, num_actions=13_527)
    assert made.policy_head.in_features == made.value_head.in_features == 1296
    logits, value = made(torch.zeros(2, 46, 9, 9))
    assert (logits.shape, value.shape) == ((2, 13_527), (2,))
