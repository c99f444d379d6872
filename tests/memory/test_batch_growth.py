import pytest
import torch
from torch import nn

from hotloop.memory.batch_growth import growth_with_the_batch


class TwoInputs(nn.Module):
    """A table that grows with no batch, and features that do."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(32, 64)

    def forward(self, features, table, *, scale):
        return (self.linear(features).tanh() * scale) @ table.tanh()


def test_only_what_has_the_length_of_the_batch_is_cut():
    found = growth_with_the_batch(TwoInputs(), (torch.randn(16, 32), torch.randn(64, 3)), {"scale": torch.rand(16, 1)})
    kept = 4 * (32 + 64 + 1)  # the features, what tanh gives, and the scale
    assert found.batch == 16
    assert found.bytes_per_sample == pytest.approx(kept)
    assert found.method == "one forward pass with 16 samples and one with 8"


@pytest.mark.parametrize(
    ("model", "args", "words"),
    [
        (nn.Linear(4, 4), (torch.randn(1, 4),), "fewer than two samples"),
        (nn.Unflatten(0, (4, 2)), (torch.randn(8, 4),), "half a batch does not go through: RuntimeError"),
        (nn.Identity(), (torch.randn(8, 4),), "keeps as much for backward as a whole one"),
    ],
)
def test_what_cannot_be_told_says_why(model, args, words):
    found = growth_with_the_batch(model, args, {})
    assert found.bytes_per_sample == 0
    assert words in found.method
