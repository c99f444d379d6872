"""programs/gat.py as a recipe: the same graph, model and optimizer; an epoch is a hundred steps on the whole graph."""

from dataclasses import dataclass
from itertools import repeat

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch_geometric.data import Data
from torch_geometric.datasets import FakeDataset
from torch_geometric.nn import GATConv

from hotloop.workload import Job, Loss

CHANNELS, CLASSES = 64, 7


class GAT(nn.Module):
    """Logits of each node."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = GATConv(channels, 16, heads=8, dropout=0.3)
        self.second = GATConv(8 * 16, CLASSES, heads=1, concat=False, dropout=0.3)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        x = F.dropout(x, 0.3, self.training)
        x = F.elu(self.first(x, edge_index))
        return self.second(F.dropout(x, 0.3, self.training), edge_index)


@dataclass(frozen=True)
class ClassifyNodes:
    """Cross-entropy over the nodes whose classes are known, `known` of `num_known`."""

    num_known: int

    def loss(self, model: nn.Module, batch: Data) -> Loss:
        outputs = model(batch.x, batch.edge_index)
        return Loss(F.cross_entropy(outputs[batch.known], batch.y[batch.known]), self.num_known)


def build(seed: int = 0) -> Job:
    """Graph attention over two thousand nodes, of which 60 % are trained on; Adam."""
    torch.manual_seed(seed)
    dataset = FakeDataset(
        num_graphs=1, avg_num_nodes=2000, avg_degree=8, num_channels=CHANNELS, num_classes=CLASSES, task="node"
    )
    graph = dataset[0]
    graph.known = torch.rand(graph.num_nodes) < 0.6
    model = GAT(graph.num_features)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, weight_decay=5e-4)
    strategy = ClassifyNodes(int(graph.known.sum()))
    return Job(model=model, optimizer=optimizer, batches=list(repeat(graph, 100)), strategy=strategy)
