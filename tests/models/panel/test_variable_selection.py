import torch

from benchmarks.panel.looped_selection import both


def test_the_stacked_form_has_outputs_and_gradients_of_the_loop():
    looped, stacked = both(features=23, hidden=16)
    x = torch.randn(6, 5, 23)
    (wanted, gates), (found, weights) = looped(x), stacked(x)
    assert torch.allclose(found, wanted, atol=2e-5)
    assert torch.allclose(weights, gates, atol=1e-6)
    (wanted.square().sum() + gates.sum()).backward()
    (found.square().sum() + weights.sum()).backward()
    third, gate = stacked.each.outputs.grad.chunk(2)
    found = {"enter": stacked.each.enter.grad, "second": stacked.each.second.grad, "third": third, "gate": gate}
    for name, mine in found.items():
        theirs = torch.stack([block.get_submodule(name).weight.grad.t() for block in looped.blocks])
        assert torch.allclose(mine, theirs, rtol=1e-3, atol=1e-4), name
    assert torch.allclose(stacked.gate.enter.weight.grad, looped.gate.enter.weight.grad, rtol=1e-3, atol=1e-4)


def test_weights_are_float32_shares_under_autocast():
    _, stacked = both(features=9, hidden=8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        _, weights = stacked(torch.randn(2, 3, 9))
    assert weights.dtype is torch.float32
    assert ((weights > 0.0) & (weights < 1.0)).all()


def test_a_feature_that_is_gated_out_says_nothing():
    _, stacked = both(features=3, hidden=8)
    with torch.no_grad():
        stacked.gate.norm.weight.zero_()
        stacked.gate.norm.bias.copy_(torch.tensor([0.0, -100.0, 0.0]))
    x = torch.randn(2, 4, 3)
    other = x.clone()
    other[..., 1] += 5.0
    assert torch.equal(stacked(x)[0], stacked(other)[0])
