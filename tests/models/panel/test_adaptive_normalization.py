import pytest
import torch
from torch.nn import functional

from hotloop.models.panel.adaptive_normalization import RollingNormalization, SliceNormalization


def rolling_one_by_one(x, span):
    """z-scores of one window (L, H), step after step, its first step repeated before it."""
    padded = torch.cat([x[:1].expand(span - 1, -1), x])
    scores = []
    for step in range(len(x)):
        window = padded[step : step + span]
        variance = (window.square().mean(0) - window.mean(0).square()).clamp(min=1e-8)
        scores.append((x[step] - window.mean(0)) / variance.sqrt())
    return torch.stack(scores)


@pytest.mark.parametrize("length", [4, 20])
def test_rolling_scores_are_those_of_each_step_and_span(length):
    torch.manual_seed(0)
    rolling = RollingNormalization(3, length=length)
    torch.nn.init.normal_(rolling.mixing)
    x = torch.randn(2, length, 3) + 50.0
    shares = rolling.mixing.softmax(0)
    for sample, found in zip(x, rolling(x), strict=True):
        wanted = sum(
            shares[number, 0] * rolling_one_by_one(sample.double(), span) for number, span in enumerate((5, 10, 20))
        )
        assert torch.allclose(found, wanted.float(), atol=1e-2, rtol=1e-3)


def test_later_steps_change_nothing_before_them():
    rolling, x = RollingNormalization(3, length=12), torch.randn(2, 12, 3)
    other = x.clone()
    other[:, 8:] += torch.randn(2, 4, 3)
    # The window's mean is taken away from values and squares alike, which leaves rounding alone.
    assert torch.allclose(rolling(x)[:, :8], rolling(other)[:, :8], atol=1e-4)


def test_copies_of_one_step_have_no_score():
    """A1: what the found model fed it. Real steps are of the size of a z-score."""
    rolling, x = RollingNormalization(4, length=20), torch.randn(8, 20, 4)
    assert rolling(x[:, -1:].expand(-1, 20, -1)).abs().max() < 1e-3
    assert rolling(x).square().mean().sqrt() > 0.5


def slices_one_by_one(x, weight, bias, size, starts):
    length = x.shape[1]
    total, count = torch.zeros_like(x), torch.zeros(length)
    for number, start in enumerate(starts):
        piece = x[:, start : start + size]
        z = (piece - piece.mean(1, keepdim=True)) / piece.var(1, unbiased=False, keepdim=True).clamp(min=1e-8).sqrt()
        total[:, start : start + size] += z * weight[number] + bias[number]
        count[start : start + size] += 1
    return total / count[:, None]


def test_slices_are_normalized_each_by_itself_and_averaged():
    torch.manual_seed(0)
    slices = SliceNormalization(3, length=20)
    torch.nn.init.normal_(slices.weight)
    torch.nn.init.normal_(slices.bias)
    x = torch.randn(4, 20, 3)
    wanted = slices_one_by_one(x, slices.weight, slices.bias, 10, (0, 5, 10))
    assert torch.allclose(slices(x), wanted, atol=1e-4)


def test_a_sample_does_not_see_the_others():
    slices, x = SliceNormalization(3, length=20), torch.randn(4, 20, 3)
    assert torch.allclose(slices(x)[:1], slices(x[:1]), atol=1e-6)


def test_the_gradient_of_slices_treats_mean_and_deviation_as_constants():
    slices = SliceNormalization(2, length=8)
    x = torch.randn(1, 8, 2, requires_grad=True)
    slices(x).sum().backward()
    assert (x.grad > 0.0).all()  # with them, the gradient of a sum of z-scores would be 0
    assert functional.mse_loss(slices(x.detach()), slices(x)).item() == 0.0
