"""The panel network in plain operators, differentiated by autograd: what written-out backwards are compared with."""

import torch
from torch import nn
from torch.nn import functional

from benchmarks.panel.looped_selection import LoopedSelection, PlainGatedResidual
from hotloop.models.atft_gat_fan import ATFTGATFAN
from hotloop.models.panel.day_neighbors import EDGE_FEATURES

LEAST_VARIANCE = 1e-8


class PlainStack(nn.Module):
    """The stacked blocks; parameters are named as they were when third layers and gates were stacked apart."""

    def __init__(self, looped):
        super().__init__()
        for name in ("enter", "second", "third", "gate"):
            layers = [block.get_submodule(name) for block in looped.blocks]
            self.register_parameter(name, nn.Parameter(torch.stack([layer.weight.t() for layer in layers])))
            bias = torch.stack([layer.bias for layer in layers]).unsqueeze(1)
            self.register_parameter(f"{name}_bias", nn.Parameter(bias))
        self.norm = nn.Parameter(torch.stack([block.norm.weight for block in looped.blocks]).unsqueeze(1))
        self.norm_bias = nn.Parameter(torch.stack([block.norm.bias for block in looped.blocks]).unsqueeze(1))

    def forward(self, x):
        first, gate, skip = (x.t().unsqueeze(-1) * self.enter + self.enter_bias).chunk(3, dim=-1)
        h = functional.elu(torch.baddbmm(self.second_bias, functional.elu(first), self.second))
        h = torch.baddbmm(self.third_bias, h, self.third)
        mixed = torch.lerp(skip, h, torch.baddbmm(self.gate_bias, gate.relu(), self.gate).sigmoid())
        return functional.layer_norm(mixed, mixed.shape[-1:]) * self.norm + self.norm_bias


class PlainSelection(nn.Module):
    def __init__(self, features, hidden):
        super().__init__()
        looped = LoopedSelection(features, hidden)
        self.gate, self.each = looped.gate, PlainStack(looped)

    def forward(self, x):
        rows = x.flatten(0, 1)
        weights = self.gate(rows).sigmoid()
        chosen = (self.each(rows) * weights.t().unsqueeze(-1)).sum(0)
        return chosen.view(*x.shape[:2], -1), weights.view(x.shape)


def rolling(module, x):
    """The z-scores of several spans."""
    x = x - x.detach().mean(1, keepdim=True)
    both = module.means @ torch.cat([x, x.square()], dim=-1)
    mean, square = both.unflatten(1, (len(module.spans), -1)).chunk(2, dim=-1)
    variance = (square - mean.square()).clamp(min=LEAST_VARIANCE)
    return ((x.unsqueeze(1) - mean) * variance.rsqrt() * module.mixing.softmax(0)).sum(1)


def slices(module, x):
    """The z-scores of slices, each with its affine map."""
    with torch.no_grad():
        mean = module.members @ x
        spread = (module.members @ x.square() - mean.square()).clamp(min=LEAST_VARIANCE).rsqrt()
    slope = module.weight * spread
    return module.shares @ (module.bias - slope * mean) + (module.shares @ slope) * x


def attention(layer, x, source, features, is_there):
    """GATv2, nodes first and heads second."""
    count = source.shape[1]
    said, target = layer.source_and_target(x).chunk(2, dim=1)
    said = said[source].view(len(x), count, layer.heads, -1)
    joined = said + (layer.edge(features) + target.unsqueeze(1)).view_as(said)
    scores = (functional.leaky_relu(joined, 0.2) * layer.attention).sum(-1)
    shares = scores.masked_fill(~is_there.unsqueeze(-1), torch.finfo(scores.dtype).min).softmax(1)
    heard = (said * (shares * is_there.unsqueeze(-1)).unsqueeze(-1)).sum(1)
    return (heard.mean(1) if layer.is_averaged else heard.flatten(1)) + layer.bias


@torch.no_grad()
def neighbors(keys, days, most):
    """Sources, features and existence of the edges, one sample after the other."""
    count, length = min(most, days.largest - 1), keys.norm(dim=1)
    source, is_there = torch.zeros(len(keys), count, dtype=torch.long), torch.zeros(len(keys), count, dtype=torch.bool)
    features = keys.new_zeros(len(keys), count, EDGE_FEATURES)
    features[..., 2] = torch.linspace(0.0, 1.0, count, dtype=keys.dtype)
    for sample in range(len(keys)):
        others = [o for o in range(len(keys)) if o != sample and days.group[o] == days.group[sample]]
        cosine = functional.cosine_similarity(keys[others], keys[sample : sample + 1])
        for place, other in enumerate(cosine.argsort(descending=True)[:count].tolist()):
            source[sample, place], is_there[sample, place] = others[other], True
            features[sample, place, 0] = cosine[other]
            features[sample, place, 1] = length[others[other]].log() - length[sample].log()
    return source, features, is_there


def fusion(module, own, heard):
    """What is heard, scaled and gated."""
    heard = heard * (own.norm(dim=1, keepdim=True) / heard.norm(dim=1, keepdim=True))
    return own + (module.gate(torch.cat([own, heard], dim=1)) / 1.25).sigmoid() * heard


class PlainNetwork(ATFTGATFAN):
    """The whole network, without dropout and experts."""

    def __init__(self, features, length, options):
        super().__init__(features, length, options)
        self.selection = PlainSelection(features, options.hidden)
        self.temporal.join = PlainGatedResidual(2 * options.hidden, options.hidden, options.hidden)

    def forward(self, x, days):
        chosen, weights = self.selection(x)
        steps = self.temporal(self.projection(chosen))
        steps = steps + slices(self.normalization.slices, rolling(self.normalization.rolling, steps))
        own, graph = steps[:, -1], self.graph
        near = neighbors(own, days, self.options.neighbors)
        heard = attention(graph.second, functional.elu(attention(graph.first, own, *near)), *near)
        shared = self.shared(fusion(graph.fusion, own, heard))
        return self.quantiles(shared, shared), weights
