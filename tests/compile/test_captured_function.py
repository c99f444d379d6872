import torch
from torch import nn

from hotloop.compile.captured_function import CapturedFunction


def doubled(module, x, shift):
    y = module(x)
    return y if shift is None else y + shift, y.sum(1)


def made():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)).eval()
    return module, CapturedFunction(module, doubled, backend="aten")


def test_it_gives_what_the_function_gives():
    module, captured = made()
    x, shift = torch.randn(5, 3), torch.randn(5, 4)
    for expected, found in zip(doubled(module, x, shift), captured(x, shift), strict=True):
        torch.testing.assert_close(found, expected)
    assert not captured(x, shift)[0].requires_grad


def test_parameters_and_buffers_may_change_also_their_memory():
    module, captured = made()
    x = torch.randn(5, 3)
    before = captured(x, None)[0]
    with torch.no_grad():
        module[0].weight.mul_(2.0)
        module[1].running_mean.add_(1.0)
    module[0].bias.data = torch.ones(4)
    after = captured(x, None)[0]
    torch.testing.assert_close(after, module(x))
    assert not torch.allclose(before, after)
    assert captured.captures == 1


def test_new_shapes_and_missing_inputs_are_captured_anew():
    module, captured = made()
    for rows in (5, 6, 5):
        x = torch.randn(rows, 3)
        torch.testing.assert_close(captured(x, None)[0], module(x))
        torch.testing.assert_close(captured(x, torch.ones(rows, 4))[0], module(x) + 1.0)
    assert captured.captures == 4
