import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from hotloop.models.panel.gated_fusion import GatedFusion
from hotloop.models.panel.temporal_block import TemporalBlock


def test_the_fused_attention_gives_what_the_plain_formula_gives():
    torch.manual_seed(0)
    block, x = TemporalBlock(16, heads=4, length=20), torch.randn(3, 20, 16)
    found = block(x)
    with sdpa_kernel(SDPBackend.MATH):
        assert torch.allclose(found, block(x), atol=1e-5)


@pytest.mark.parametrize("length", [20, 60, 512])
def test_attention_takes_the_fused_operator(length):
    block, x = TemporalBlock(16, heads=4, length=length), torch.randn(2, length, 16)
    with torch.profiler.profile() as profile:
        block(x).sum().backward()
    names = {event.name for event in profile.events()}
    assert "aten::_scaled_dot_product_flash_attention_for_cpu" in names
    assert "aten::_scaled_dot_product_attention_math" not in names


def test_positions_tell_steps_apart():
    block = TemporalBlock(8, heads=2, length=6)
    assert block.positions.shape == (6, 8)
    assert len(block.positions.unique(dim=0)) == 6


def test_units_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="an even multiple of the heads"):
        TemporalBlock(10, heads=4, length=5)


def test_fusion_scales_what_is_heard_to_the_length_of_what_is_said():
    fusion = GatedFusion(6)
    own, heard = torch.randn(4, 6), torch.randn(4, 6)
    assert torch.allclose(fusion(own, heard), fusion(own, 1000.0 * heard), atol=1e-4)
    with torch.no_grad():
        fusion.gate.weight.zero_()
        fusion.gate.bias.fill_(1e4)
    added = fusion(own, heard) - own
    assert torch.allclose(added.norm(dim=1), own.norm(dim=1), rtol=1e-4)
