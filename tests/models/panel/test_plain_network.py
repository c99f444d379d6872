import pytest
import torch
from tests.models.panel.plain_network import PlainNetwork
from torch.autograd import gradcheck

from hotloop.models.atft_gat_fan import ATFTGATFAN, PanelNetworkOptions
from hotloop.models.panel.gated_fusion import GatedFusion
from hotloop.models.panel.gated_residual import GatedResidual
from hotloop.models.panel.stacked_residual import StackedGatedResidual

OPTIONS = PanelNetworkOptions(hidden=16, dropout=0.0, edge_dropout=0.0)


def networks(dtype):
    """The plain network, and the other one with its weights, which are loaded under their former names."""
    torch.manual_seed(0)
    plain = PlainNetwork(23, 20, OPTIONS).to(dtype)
    for parameter in plain.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    written_out = ATFTGATFAN(23, 20, OPTIONS).to(dtype)
    written_out.load_state_dict(plain.state_dict())
    rolling = written_out.normalization.rolling  # one constant less another, both of which were rounded to float32
    rolling.distances = torch.eye(20, dtype=dtype).repeat(3, 1) - rolling.means
    return plain, written_out


def gradients(model, x, days):
    x = x.clone().requires_grad_()
    quantiles, *_, weights = model(x, days)
    (quantiles.square().sum() + weights.square().sum()).backward()
    found = {name: parameter.grad for name, parameter in model.named_parameters()}
    return quantiles.detach(), {"input": x.grad, **found}


def renamed(found):
    """Gradients of the plain network under the names of the other."""
    for prefix in ("selection.gate.", "temporal.join."):
        pairs = [[found.pop(f"{prefix}{name}.{end}") for name in ("third", "gate")] for end in ("weight", "bias")]
        found[f"{prefix}outputs"] = torch.stack([weight.t() for weight in pairs[0]])
        found[f"{prefix}outputs_bias"] = torch.stack(pairs[1]).unsqueeze(1)
    for end in ("", "_bias"):
        pair = [found.pop(f"selection.each.{name}{end}") for name in ("third", "gate")]
        found[f"selection.each.outputs{end}"] = torch.cat(pair)
    return found


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 2e-3)])
def test_outputs_and_gradients_are_those_of_the_plain_network(days_of, dtype, tolerance):
    plain, written_out = networks(dtype)
    x, days = torch.randn(12, 20, 23, dtype=dtype), days_of(6, 1, 5)
    (wanted, wanted_gradients), (found, found_gradients) = (gradients(model, x, days) for model in (plain, written_out))
    assert torch.allclose(found, wanted, rtol=tolerance, atol=tolerance)
    wanted_gradients = renamed(wanted_gradients)
    assert wanted_gradients.keys() == found_gradients.keys()
    for name, gradient in wanted_gradients.items():
        distance = (found_gradients[name] - gradient).norm() / gradient.norm()
        assert distance < tolerance, name


def test_written_out_gradients_are_the_limits_of_differences():
    """Where autograd's own are taken for granted; gradcheck goes the way of small steps in float64."""
    torch.manual_seed(0)
    block, fusion = GatedResidual(5, 3, 5).double(), GatedFusion(4).double()
    stack = StackedGatedResidual(3, 4).double()
    with torch.no_grad():
        for parameter in stack.parameters():
            parameter.normal_()
    x, own, heard = (torch.randn(4, width, dtype=torch.float64, requires_grad=True) for width in (5, 4, 4))
    rows, shares = torch.randn(2, 4, 3, dtype=torch.float64).unbind()
    assert gradcheck(block, x)
    assert gradcheck(fusion, (own, heard))
    assert gradcheck(stack, (rows.requires_grad_(), shares.requires_grad_()))


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_dropout_leaves_out_a_share_in_training_alone(dropout):
    torch.manual_seed(0)
    block = GatedResidual(5, 3, 4, dropout=dropout)
    stack = StackedGatedResidual(3, 4, dropout=dropout)
    x, rows, shares = torch.randn(6, 5), torch.randn(6, 3), torch.rand(6, 3)
    assert torch.equal(block(x), block(x)) is (dropout == 0.0)
    assert torch.equal(stack(rows, shares), stack(rows, shares)) is (dropout == 0.0)
    (block(x).square().sum() + stack(rows, shares).square().sum()).backward()
    assert all(parameter.grad.isfinite().all() for module in (block, stack) for parameter in module.parameters())
    block.eval(), stack.eval()
    assert torch.equal(block(x), block(x))
    assert torch.equal(stack(rows, shares), stack(rows, shares))


def test_a_second_derivative_is_refused_and_not_wrong():
    block, x = GatedResidual(5, 3, 5), torch.randn(4, 5, requires_grad=True)
    (gradient,) = torch.autograd.grad(block(x).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()
