"""Graph attention of torch-geometric on one graph of two thousand nodes, whose classes show in features and edges."""

import torch
from torch.nn import functional as F
from torch_geometric.datasets import FakeDataset
from torch_geometric.nn import GATConv

torch.manual_seed(0)
graph = FakeDataset(num_graphs=1, avg_num_nodes=2000, avg_degree=8, num_channels=64, num_classes=7, task="node")[0]
train = torch.rand(graph.num_nodes) < 0.6


class GAT(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = GATConv(graph.num_features, 16, heads=8, dropout=0.3)
        self.second = GATConv(8 * 16, 7, heads=1, concat=False, dropout=0.3)

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        x = F.dropout(x, 0.3, self.training)
        x = F.elu(self.first(x, edge_index))
        return self.second(F.dropout(x, 0.3, self.training), edge_index)


model = GAT()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, weight_decay=5e-4)

for epoch in range(20_000):
    optimizer.zero_grad()
    outputs = model(graph.x, graph.edge_index)
    loss = F.cross_entropy(outputs[train], graph.y[train])
    loss.backward()
    optimizer.step()
    if epoch % 100 == 0:
        print(f"epoch {epoch}: {loss.item():.3f}")
