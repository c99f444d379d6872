"""Attention to neighbours: all heads at once, softmax over the edges that end at a node.

N nodes, J neighbours of a node, E = N * J edges, K heads, B = K * N, C channels of a head.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from hotloop.models.panel import plain
from hotloop.models.panel.day_neighbors import Neighbors
from hotloop.models.panel.written_out import written_out

_SLOPE = 0.2  # of the leaky ReLU


class GraphAttention(nn.Module):
    """GATv2 (Brody, Alon and Yahav 2022), (N, inputs) -> (N, K * C), or (N, C) where heads are averaged.

    Node i hears sum_j a_ij W x_j over its neighbours, a_ij being the softmax of v . leaky_relu(W x_j + U x_i + T e_ij).
    Every node has a row of J neighbours, so that the softmax over its edges is one of rows, the same on every run; ones
    that do not exist have no share, and a node without any hears the bias alone. In training each edge is dropped with
    probability `edge_dropout`. Backward is written out, with fewer operators than autograd would run; it cannot be
    differentiated again.
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
        return self.heard(self.source_and_target(x_N), near)

    def heard(self, both_N: Tensor, near: Neighbors) -> Tensor:
        """What is heard, from the result of `source_and_target`."""
        weights = [w.to(both_N.dtype) for w in (self.edge.weight, self.attention, self.bias)]
        features_NJ3, mask_NJ = near.features.to(both_N.dtype), near.mask.to(both_N.dtype)
        if self.training and self.edge_dropout:
            mask_NJ = mask_NJ.masked_fill(torch.rand_like(mask_NJ) < self.edge_dropout, -torch.inf)
        with torch.autocast(both_N.device.type, enabled=False):
            if torch.compiler.is_compiling():
                return self._plain(both_N, near.source, features_NJ3, mask_NJ)
            return _Attention.apply(both_N, near.source, features_NJ3, mask_NJ, *weights, self.is_averaged)

    def _plain(self, both_N: Tensor, source_NJ: Tensor, features_NJ3: Tensor, mask_NJ: Tensor) -> Tensor:
        said_NKC, asked_NKC = (part.unflatten(1, (self.heads, -1)) for part in both_N.chunk(2, dim=1))
        edge_NJKC = (features_NJ3 @ self.edge.weight.to(both_N.dtype).t()).unflatten(2, (self.heads, -1))
        weight_1KC = self.attention.to(both_N.dtype)
        heard_NKC = plain.attention((said_NKC, asked_NKC), source_NJ, edge_NJKC, mask_NJ, weight_1KC, _SLOPE)
        return (heard_NKC.mean(1) if self.is_averaged else heard_NKC.flatten(1)) + self.bias.to(both_N.dtype)


class _Attention(torch.autograd.Function):
    """What each node hears. Heads come first, so that each step is one product of K matrices."""

    @staticmethod
    def forward(
        ctx: Any,
        both_N: Tensor,
        source_NJ: Tensor,
        features_NJ3: Tensor,
        mask_NJ: Tensor,
        edge: Tensor,
        attention_1KC: Tensor,
        bias: Tensor,
        is_averaged: bool,
    ) -> Tensor:
        (num_nodes, count), heads = source_NJ.shape, attention_1KC.shape[1]
        source_KNC, target_KNC = _by_head(both_N, heads)
        source_E, features_KE3 = source_NJ.flatten(), features_NJ3.flatten(0, 1).expand(heads, -1, -1)
        said_KEC = source_KNC.index_select(1, source_E)
        joined_KEC = torch.baddbmm(said_KEC, features_KE3, edge.reshape(heads, -1, edge.shape[1]).transpose(1, 2))
        joined_KEC.view(heads, num_nodes, count, -1).add_(target_KNC.unsqueeze(2))
        functional.leaky_relu_(joined_KEC, _SLOPE)
        scores_KE1 = torch.baddbmm(mask_NJ.reshape(1, -1, 1), joined_KEC, attention_1KC.reshape(heads, -1, 1))
        # A row without an edge has no share, where a plain softmax would be NaN.
        shares_BJ = torch.ops.aten._safe_softmax(scores_KE1.reshape(-1, count), -1)
        heard_BC = shares_BJ.unsqueeze(1) @ said_KEC.reshape(heads * num_nodes, count, -1)
        ctx.save_for_backward(source_E, features_KE3, said_KEC, joined_KEC, shares_BJ, edge, attention_1KC)
        ctx.is_averaged = is_averaged
        heard_KNC = heard_BC.reshape(heads, num_nodes, -1)
        if is_averaged:
            return heard_KNC.mean(0).add_(bias)
        heard_N = heard_KNC.new_empty(num_nodes, len(bias))
        torch.add(heard_KNC.transpose(0, 1), bias.reshape(heads, -1), out=heard_N.view(num_nodes, heads, -1))
        return heard_N

    @staticmethod
    @written_out
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        source_E, features_KE3, said_KEC, joined_KEC, shares_BJ, edge, attention_1KC = ctx.saved_tensors
        (grad,), heads, count = grads, attention_1KC.shape[1], shares_BJ.shape[1]
        num_nodes = len(shares_BJ) // heads
        if ctx.is_averaged:
            heard_KNC = grad.expand(heads, -1, -1) / heads
        else:
            heard_KNC = grad.reshape(num_nodes, heads, -1).transpose(0, 1)
        heard_B1C = heard_KNC.reshape(heads * num_nodes, 1, -1)
        said_grad_BJC = shares_BJ.unsqueeze(-1) * heard_B1C
        shares_grad_BJ = (said_KEC.reshape(said_grad_BJC.shape) @ heard_B1C.transpose(1, 2)).squeeze(-1)
        scores_KE1 = torch.ops.aten._softmax_backward_data(shares_grad_BJ, shares_BJ, -1, shares_BJ.dtype).reshape(
            heads, -1, 1
        )
        # The result of a leaky ReLU has the sign of what went into it.
        joined_grad_KEC = torch.ops.aten.leaky_relu_backward(
            scores_KE1 * attention_1KC.transpose(0, 1), joined_KEC, _SLOPE, True
        )
        both_N = grad.new_zeros(num_nodes, 2 * attention_1KC.numel())
        source_KNC, target_KNC = _by_head(both_N, heads)
        torch.sum(joined_grad_KEC.reshape(heads, num_nodes, count, -1), 2, out=target_KNC)
        source_KNC.index_add_(1, source_E, said_grad_BJC.reshape(said_KEC.shape).add_(joined_grad_KEC))
        edge_KC3 = joined_grad_KEC.transpose(1, 2) @ features_KE3
        attention_KC1 = joined_KEC.transpose(1, 2) @ scores_KE1
        return (
            both_N,
            None,
            None,
            None,
            edge_KC3.reshape(edge.shape),
            attention_KC1.reshape(attention_1KC.shape),
            grad.sum(0),
            None,
        )


def _by_head(both_N: Tensor, heads: int) -> list[Tensor]:
    """Views (K, N, C) of what is said to others and what is asked of them."""
    return [part.view(len(both_N), heads, -1).transpose(0, 1) for part in both_N.chunk(2, dim=1)]
