"""Node classification: two graph attention layers of torch-geometric, the whole graph in every step, Adam."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch_geometric.data import Data
from torch_geometric.nn import GATConv

from hotloop.workload import Job, Loss


class Gat(nn.Module):
    """Class logits of every node."""

    def __init__(self) -> None:
        super().__init__()
        self.first = GATConv(16, 8, heads=4, dropout=0.3)
        self.second = GATConv(32, 4, heads=1, concat=False, dropout=0.3)
        self.drop = nn.Dropout(0.3)

    def forward(self, nodes: Tensor, edges: Tensor) -> Tensor:
        hidden = F.elu(self.first(self.drop(nodes), edges))
        return self.second(self.drop(hidden), edges)


@dataclass(frozen=True)
class ClassifyNodes:
    """Cross-entropy over the nodes whose label is known."""

    def loss(self, model: nn.Module, batch: Data) -> Loss:
        logits = model(batch.x, batch.edge_index)
        return Loss(F.cross_entropy(logits[batch.known], batch.y[batch.known]), len(batch.y))


def build(seed: int = 0) -> Job:
    """Four graphs of 120 nodes in four communities; half of the labels are known."""
    torch.manual_seed(seed)
    model = Gat()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, weight_decay=5e-4)
    return Job(model=model, optimizer=optimizer, batches=[_graph() for _ in range(4)], strategy=ClassifyNodes())


def _graph() -> Data:
    labels = torch.randint(4, (120,))
    centres = torch.randn(4, 16)
    likely = torch.where(labels[:, None] == labels[None], 0.15, 0.02)
    edges = torch.bernoulli(likely).nonzero().T.contiguous()
    nodes = centres[labels] + 1.5 * torch.randn(120, 16)
    return Data(x=nodes, edge_index=edges, y=labels, known=torch.arange(0, 120, 2))
