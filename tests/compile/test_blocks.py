"""The repeated block of a model, found and compiled once."""

from collections import OrderedDict

import pytest
import torch
import torch._dynamo.config
from torch import nn
from torch._dynamo.utils import counters

from hotloop.compile.blocks import compile_each, named_layers, repeated_blocks
from hotloop.compile.root_call import without_plan
from hotloop.errors import NotApplicable

# Dynamo looks at the gradients of its inputs and hides torch's warning; where warnings are errors it cannot.
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")


class Block(nn.Module):
    def __init__(self, width: int, *, rate: float = 0.0) -> None:
        super().__init__()
        self.linear, self.norm, self.dropout = nn.Linear(width, width), nn.LayerNorm(width), nn.Dropout(rate)

    def forward(self, x: torch.Tensor, *, scale: float = 1.0) -> torch.Tensor:
        return x + scale * self.dropout(self.norm(self.linear(x)).relu())


@pytest.fixture(autouse=True)
def fresh_dynamo():
    torch._dynamo.reset()
    counters.clear()
    with torch._dynamo.config.patch(skip_nnmodule_hook_guards=True):
        yield
    torch._dynamo.reset()


def tower(num=4, width=8):
    blocks = nn.Sequential(OrderedDict((f"block{n}", Block(width)) for n in range(num)))
    return nn.Sequential(OrderedDict(stem=nn.Linear(width, width), blocks=blocks, head=nn.Linear(width, 2)))


def test_the_outermost_repeated_module_with_layers_inside_is_the_block():
    model = tower()
    assert repeated_blocks(model) == list(model.blocks)


def test_lists_of_blocks_are_looked_through_and_other_shapes_are_another_kind():
    model = nn.ModuleDict({"wide": nn.ModuleList(Block(8) for _ in range(3)), "one": Block(4)})
    assert repeated_blocks(model) == list(model["wide"])
    rates = nn.ModuleList(Block(8, rate=rate) for rate in (0.0, 0.1, 0.2))
    with pytest.raises(NotApplicable, match=r"there 3 times .*frequent: 1 times"):
        repeated_blocks(rates)


@pytest.mark.parametrize("model", [nn.Linear(2, 2), nn.Sequential(*[nn.Linear(2, 2) for _ in range(5)]), tower(2)])
def test_where_no_block_repeats_it_is_refused_with_the_reason(model):
    with pytest.raises(NotApplicable, match="no block of layers is there 3 times"):
        repeated_blocks(model)


def test_a_pattern_takes_the_outermost_of_its_names():
    model = tower()
    assert named_layers(model, "blocks.*") == list(model.blocks)
    assert named_layers(model, "head") == [model.head]
    with pytest.raises(NotApplicable, match=r"no layer .* is named 'tail'; its layers are stem, blocks"):
        named_layers(model, "tail")


def test_all_copies_share_one_graph_and_give_what_eager_gives():
    model, x = tower(9), torch.randn(3, 8)
    keys, wanted = list(model.state_dict()), model(x)
    compile_each(repeated_blocks(model), {"backend": "aot_eager"})
    torch.testing.assert_close(model(x), wanted)
    assert counters["stats"]["unique_graphs"] == 1
    assert list(model.state_dict()) == keys
    model(x).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_hooks_of_a_block_and_of_its_layers_are_kept():
    model, x, seen = tower(3), torch.randn(3, 8), []
    model.blocks[1].register_forward_hook(lambda module, args, output: output * 2)
    model.blocks[2].linear.register_forward_hook(lambda module, args, output: output + 1)
    model.blocks[0].linear.weight.register_hook(lambda grad: seen.append(1))
    wanted = model(x)
    compile_each(repeated_blocks(model), {"backend": "aot_eager"})
    torch.testing.assert_close(model(x), wanted)
    model(x).sum().backward()
    before = model(x)
    assert seen == [1]
    model.blocks[0].register_forward_hook(lambda module, args, output: output * 3)  # after it was compiled
    with without_plan():
        wanted = model(x)
    torch.testing.assert_close(model(x), wanted)
    assert not torch.allclose(wanted, before)


def test_nine_kinds_are_nine_compiles_and_none_runs_eagerly():
    """CO01: one code object for all of them ends at Dynamo's limit of eight, and the rest is eager for ever."""
    towers = [tower(3, width) for width in range(2, 11)]
    layers = [layer for model in towers for layer in repeated_blocks(model)]
    compile_each(layers, {"backend": "aot_eager", "dynamic": False})
    for model in towers:
        model(torch.randn(3, model.stem.in_features))
    assert counters["stats"]["unique_graphs"] == 9
    for model in towers:
        model(torch.randn(3, model.stem.in_features))
    assert counters["stats"]["unique_graphs"] == 9
    assert not counters["unimplemented"]
