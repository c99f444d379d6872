import pytest
import torch

from hotloop.kernels.segments import Segments
from hotloop.models.panel.day_neighbors import EDGE_FEATURES, Neighbors, day_neighbors
from hotloop.models.panel.graph_attention import GraphAttention


@pytest.fixture
def near():
    generator = torch.Generator().manual_seed(0)
    source = torch.stack([torch.randperm(7, generator=generator)[:3] for _ in range(7)])
    is_there = torch.rand(7, 3, generator=generator) > 0.3
    is_there[4] = False
    features = torch.randn(7, 3, EDGE_FEATURES, generator=generator)
    return Neighbors(source, features, is_there, is_there.log())


@pytest.mark.parametrize("is_averaged", [False, True])
def test_it_is_the_layer_of_torch_geometric(near, is_averaged):
    gatv2 = pytest.importorskip("torch_geometric.nn").GATv2Conv
    theirs = gatv2(5, 4, heads=3, concat=not is_averaged, edge_dim=EDGE_FEATURES, add_self_loops=False)
    mine = GraphAttention(5, 4, heads=3, edge_features=EDGE_FEATURES, is_averaged=is_averaged)
    with torch.no_grad():
        mine.source_and_target.weight.copy_(torch.cat([theirs.lin_l.weight, theirs.lin_r.weight]))
        mine.source_and_target.bias.copy_(torch.cat([theirs.lin_l.bias, theirs.lin_r.bias]))
        mine.edge.weight.copy_(theirs.lin_edge.weight)
        mine.attention.copy_(theirs.att)
        mine.bias.copy_(theirs.bias)
    x = torch.randn(7, 5)
    target = torch.arange(7)[:, None].expand(7, 3)
    edges = torch.stack([near.source[near.is_there], target[near.is_there]])
    wanted = theirs(x, edges, edge_attr=near.features[near.is_there])
    assert torch.allclose(mine(x, near), wanted, atol=1e-5)


def test_shares_are_those_of_a_softmax_over_segments(near):
    """A row of edges a node makes the segment softmax one of rows; here it is beside the general one."""
    scores = torch.randn(7, 3)
    filled = scores.masked_fill(~near.is_there, torch.finfo(torch.float32).min).softmax(1) * near.is_there
    target = torch.arange(7)[:, None].expand(7, 3).flatten()
    general = Segments(target, 7).softmax(scores.flatten(), near.is_there.flatten())
    assert torch.allclose(filled.flatten(), general, atol=1e-6)


def test_a_node_without_neighbours_hears_the_bias_and_no_gradient_is_nan(near):
    layer = GraphAttention(5, 4, heads=2, edge_features=EDGE_FEATURES)
    x = torch.randn(7, 5, requires_grad=True)
    heard = layer(x, near)
    assert torch.equal(heard[4], layer.bias)
    heard.square().sum().backward()
    assert x.grad.isfinite().all()


def test_edges_are_dropped_in_training_alone(near):
    layer = GraphAttention(5, 4, heads=2, edge_features=EDGE_FEATURES, edge_dropout=0.5)
    x = torch.randn(7, 5)
    assert not torch.equal(layer(x, near), layer(x, near))
    layer.eval()
    assert torch.equal(layer(x, near), layer(x, near))


def test_neighbours_are_the_nearest_of_the_own_day(days_of):
    days, keys = days_of(6, 1, 3), torch.randn(10, 8)
    near = day_neighbors(keys, days, most=4)
    unit = torch.nn.functional.normalize(keys)
    for sample in range(10):
        others = [o for o in range(10) if o != sample and days.group[o] == days.group[sample]]
        wanted = sorted(others, key=lambda other: -float(unit[sample] @ unit[other]))[:4]
        found = near.source[sample][near.is_there[sample]]
        assert found.tolist() == wanted
        assert torch.allclose(near.features[sample, : len(wanted), 0], unit[wanted] @ unit[sample], atol=1e-6)
