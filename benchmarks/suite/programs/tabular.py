"""An MLP over embedded categories and numbers, on a made-up table of twenty thousand rows."""

import torch
from sklearn.datasets import make_classification
from sklearn.preprocessing import KBinsDiscretizer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
rows, labels = make_classification(20_000, 24, n_informative=12, n_classes=4, random_state=0)
binned = KBinsDiscretizer(16, encode="ordinal", strategy="uniform").fit_transform(rows[:, :8])
categories, numbers = torch.tensor(binned, dtype=torch.int64), torch.tensor(rows[:, 8:], dtype=torch.float32)
dataset = TensorDataset(categories, numbers, torch.tensor(labels))
loader = DataLoader(dataset, batch_size=128, shuffle=True, drop_last=True)


class TabularNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embeddings = nn.ModuleList(nn.Embedding(16, 8) for _ in range(8))
        self.body = nn.Sequential(
            nn.Linear(8 * 8 + 16, 256),
            nn.BatchNorm1d(256),
            nn.ReLU(),
            nn.Linear(256, 128),
            nn.BatchNorm1d(128),
            nn.ReLU(),
            nn.Linear(128, 4),
        )

    def forward(self, categories: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        embedded = [embedding(categories[:, place]) for place, embedding in enumerate(self.embeddings)]
        return self.body(torch.cat([*embedded, numbers], dim=1))


model = TabularNet()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

for epoch in range(1000):
    model.train()
    total = 0.0
    for categories, numbers, labels in loader:
        optimizer.zero_grad()
        loss = criterion(model(categories, numbers), labels)
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"epoch {epoch}: {total / len(loader):.3f}")
