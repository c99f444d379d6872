"""Modules that say which graph they have are compiled once for each."""

import pytest
import torch
from torch import nn
from torch._dynamo.utils import counters

from hotloop.compile.each_architecture import EachArchitecture, tells_its_graph

pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")


class Changing(nn.Module):
    """Adds its number, which is constant in a graph."""

    def __init__(self):
        super().__init__()
        self.layer, self.number = nn.Linear(2, 2), 0

    def graph_key(self):
        return self.number

    def forward(self, x):
        return self.layer(x) + self.number


def _call_of(module):
    def call(*args):
        return module._call_impl(*args)

    return call


@pytest.fixture
def compiled():
    torch._dynamo.reset()
    counters.clear()
    module = Changing()
    yield module, EachArchitecture(module, _call_of(module), {"backend": "eager"})
    torch._dynamo.reset()


def test_more_graphs_than_dynamo_s_limit_are_each_compiled_once_and_found_again(compiled):
    module, call = compiled
    num_forms = torch._dynamo.config.recompile_limit + 4
    x = torch.randn(3, 2)
    for _ in range(2):
        for module.number in range(num_forms):
            torch.testing.assert_close(call(x), module.layer(x) + module.number)
        assert counters["stats"]["unique_graphs"] == num_forms == call.num_architectures


def test_modes_have_graphs_of_their_own(compiled):
    module, call = compiled
    call(torch.ones(1, 2))
    with torch.no_grad():
        call(torch.ones(1, 2))
    module.eval()
    call(torch.ones(1, 2))
    assert call.num_architectures == 3


def test_only_a_method_tells(compiled):
    module, _ = compiled
    assert tells_its_graph(module)
    assert not tells_its_graph(module.layer)
    module.graph_key = None
    assert not tells_its_graph(module)
