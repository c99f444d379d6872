"""Graphs of torch-geometric, which are transformed whenever one is read and joined to batches.

python geometric_graphs.py --epochs 100
"""

import argparse
import warnings

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader
from torch_geometric.nn import GCNConv, global_mean_pool
from torch_geometric.transforms import AddSelfLoops, Compose, NormalizeFeatures, OneHotDegree, ToUndirected

warnings.filterwarnings("ignore", module="torch_geometric")


class Graphs(Dataset[Data]):
    """Random graphs; is the first half of the features larger than the second?"""

    def __init__(self, number: int) -> None:
        draw = torch.Generator().manual_seed(0)
        self.graphs: list[Data] = []
        for _ in range(number):
            nodes = int(torch.randint(10, 30, (), generator=draw))
            x = torch.rand(nodes, 8, generator=draw)
            edges = torch.randint(nodes, (2, 3 * nodes), generator=draw)
            self.graphs.append(Data(x=x, edge_index=edges, y=(x[:, :4].sum() > x[:, 4:].sum()).long()))
        self.transform = Compose([ToUndirected(), AddSelfLoops(), NormalizeFeatures(), OneHotDegree(60)])

    def __len__(self) -> int:
        return len(self.graphs)

    def __getitem__(self, index: int) -> Data:
        return self.transform(self.graphs[index].clone())


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.out = GCNConv(8 + 61, 16), GCNConv(16, 16), nn.Linear(16, 2)

    def forward(self, x: Tensor, edges: Tensor, batch: Tensor) -> Tensor:
        x = self.second(self.first(x, edges).relu(), edges).relu()
        return self.out(global_mean_pool(x, batch))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--workers", type=int, default=0)
    given = parser.parse_args()
    torch.manual_seed(0)
    loader = DataLoader(Graphs(512), batch_size=16, shuffle=True, num_workers=given.workers)
    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for _ in range(given.epochs):
        for graphs in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(graphs.x, graphs.edge_index, graphs.batch), graphs.y)
            loss.backward()
            optimizer.step()


if __name__ == "__main__":
    main()
