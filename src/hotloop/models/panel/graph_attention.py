"""Attention to neighbours: all heads at once, softmax over the edges that end at a node.

N nodes, J neighbours of a node, K heads, C channels of a head.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from hotloop.models.panel.day_neighbors import Neighbors

_SLOPE = 0.2  # of the leaky ReLU


class GraphAttention(nn.Module):
    """GATv2 (Brody, Alon and Yahav 2022), (N, inputs) -> (N, K * C), or (N, C) where heads are averaged.

    Node i hears sum_j a_ij W x_j over its neighbours, a_ij being the softmax of v . leaky_relu(W x_j + U x_i + T e_ij).
    Every node has a row of J neighbours, so that the softmax over its edges is one of rows, the same on every run; ones
    that do not exist have no share, and a node without any hears the bias alone. In training each edge is dropped with
    probability `edge_dropout`.
    """

    def __init__(
        self,
        inputs: int,
        channels: int,
        *,
        heads: int,
        edge_features: int,
        is_averaged: bool = False,
        edge_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.heads, self.is_averaged, self.edge_dropout = heads, is_averaged, edge_dropout
        self.source_and_target = nn.Linear(inputs, 2 * heads * channels)
        self.edge = nn.Linear(edge_features, heads * channels, bias=False)
        self.attention = nn.Parameter(torch.empty(1, heads, channels))
        self.bias = nn.Parameter(torch.zeros(channels if is_averaged else heads * channels))
        nn.init.xavier_uniform_(self.attention)

    def forward(self, x_N: Tensor, near: Neighbors) -> Tensor:
        num_nodes, count = near.source.shape
        source_N, target_N = self.source_and_target(x_N).chunk(2, dim=1)
        said_NJKC = source_N.index_select(0, near.source.flatten()).view(num_nodes, count, self.heads, -1)
        edge_NJ = self.edge(near.features.to(x_N.dtype)) + target_N.unsqueeze(1)
        joined_NJKC = said_NJKC + edge_NJ.view_as(said_NJKC)
        scores_NJK = (functional.leaky_relu(joined_NJKC, _SLOPE) * self.attention).sum(-1)
        is_there_NJ1 = near.is_there.unsqueeze(-1)
        if self.training and self.edge_dropout:
            is_there_NJ1 = is_there_NJ1 & (torch.rand_like(scores_NJK[..., :1]) >= self.edge_dropout)
        # A large negative number and not -inf, so that a row without an edge is no NaN; its shares are taken away.
        scores_NJK = scores_NJK.float().masked_fill(~is_there_NJ1, torch.finfo(torch.float32).min)
        shares_NJK = scores_NJK.softmax(1) * is_there_NJ1
        heard_NKC = (said_NJKC * shares_NJK.unsqueeze(-1).to(said_NJKC.dtype)).sum(1)
        return (heard_NKC.mean(1) if self.is_averaged else heard_NKC.flatten(1)) + self.bias
