"""Root modules under autocast."""

import copy

import torch

from hotloop.transforms.autocast import Autocast


def test_a_model_under_autocast_answers_in_fp32(under, mlp):
    model, x = mlp, torch.randn(3, 4)
    plain = model(x)
    _, hooks = under(Autocast())
    with hooks:
        lowered = model(x)
    assert lowered.dtype is torch.float32
    assert not torch.equal(lowered, plain)
    assert torch.allclose(lowered, plain, atol=0.05)


def test_a_copy_of_a_model_under_autocast_computes_with_its_own_parameters(under, mlp):
    model, x = mlp, torch.randn(3, 4)
    _, hooks = under(Autocast())
    with hooks:
        model(x)
        twin = copy.deepcopy(model)
        with torch.no_grad():
            for parameter in twin.parameters():
                parameter.zero_()
        assert twin(x).abs().max() == 0
        assert model(x).abs().max() > 0


def test_autocast_leaves_a_program_alone_that_autocasts_itself(under, mlp):
    started, hooks = under(Autocast())
    with hooks, torch.autocast("cpu", dtype=torch.bfloat16):
        mlp(torch.randn(3, 4))
    assert started.refused["autocast"] == "the program already runs under autocast"


def test_autocast_starts_from_fp32(under, mlp):
    started, hooks = under(Autocast())
    with hooks:
        mlp.double()(torch.randn(3, 4).double())
    assert "float64" in started.refused["autocast"]
