"""torch-geometric's GAT, full batch, on a synthetic graph of communities."""

import argparse

import torch
from torch.nn import functional as F
from torch_geometric.data import Data
from torch_geometric.nn.models import GAT
from torch_geometric.utils import stochastic_blockmodel_graph


def communities(sizes, features):
    """A graph with denser links inside each community, and noisy features."""
    count = len(sizes)
    chances = torch.full((count, count), 0.002) + torch.eye(count) * 0.02
    labels = torch.arange(count).repeat_interleave(torch.tensor(sizes))
    x = torch.randn(sum(sizes), features)
    x[torch.arange(len(x)), labels] += 1.0
    return Data(x=x, y=labels, edge_index=stochastic_blockmodel_graph(sizes, chances))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--nodes", type=int, default=200, help="nodes of a community")
    args = parser.parse_args()

    torch.manual_seed(0)
    data = communities([args.nodes] * 5, features=64)
    train = torch.rand(data.num_nodes) < 0.6
    model = GAT(in_channels=64, hidden_channels=64, num_layers=2, out_channels=5, heads=4, dropout=0.2)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, weight_decay=5e-4)

    for step in range(1, args.steps + 1):
        model.train()
        optimizer.zero_grad()
        out = model(data.x, data.edge_index)
        loss = F.cross_entropy(out[train], data.y[train])
        loss.backward()
        optimizer.step()
        if step % 20 == 0:
            model.eval()
            with torch.no_grad():
                right = (model(data.x, data.edge_index).argmax(1) == data.y)[~train].float().mean()
            print(f"step {step} loss {loss.item():.4f} accuracy {right.item():.3f}")
    print("done")


if __name__ == "__main__":
    main()
