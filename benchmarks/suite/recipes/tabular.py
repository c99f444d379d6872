"""programs/tabular.py as a recipe: the same table, model, batches and optimizer."""

from dataclasses import dataclass

import torch
from sklearn.datasets import make_classification
from sklearn.preprocessing import KBinsDiscretizer
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from hotloop.workload import Job, Loss


class TabularNet(nn.Module):
    """Logits of four classes from eight categories and sixteen numbers a row."""

    def __init__(self) -> None:
        super().__init__()
        self.embeddings = nn.ModuleList(nn.Embedding(16, 8) for _ in range(8))
        layers: list[nn.Module] = []
        for inputs, outputs in ((8 * 8 + 16, 256), (256, 128)):
            layers += [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU()]
        self.body = nn.Sequential(*layers, nn.Linear(128, 4))

    def forward(self, categories: Tensor, numbers: Tensor) -> Tensor:
        embedded = [embedding(categories[:, place]) for place, embedding in enumerate(self.embeddings)]
        return self.body(torch.cat([*embedded, numbers], dim=1))


@dataclass(frozen=True)
class Classify:
    """Cross-entropy of a batch of (categories, numbers, labels)."""

    def loss(self, model: nn.Module, batch: list[Tensor]) -> Loss:
        categories, numbers, labels = batch
        return Loss(F.cross_entropy(model(categories, numbers), labels), len(labels))


def build(seed: int = 0) -> Job:
    """Twenty thousand rows in batches of 128, Adam."""
    torch.manual_seed(seed)
    rows, labels = make_classification(20_000, 24, n_informative=12, n_classes=4, random_state=0)
    binned = KBinsDiscretizer(16, encode="ordinal", strategy="uniform").fit_transform(rows[:, :8])
    columns = (torch.tensor(binned).long(), torch.tensor(rows[:, 8:]).float(), torch.tensor(labels))
    loader = DataLoader(TensorDataset(*columns), batch_size=128, shuffle=True, drop_last=True)
    model = TabularNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    return Job(model=model, optimizer=optimizer, batches=loader, strategy=Classify())
