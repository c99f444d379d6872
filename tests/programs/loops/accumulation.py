"""Gradients of four batches are summed before each step; the average of the weights follows beside."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

ACCUMULATE = 4


def train_one_epoch(model, average, loader, optimizer, criterion):
    total = 0.0
    optimizer.zero_grad()
    for i, (x, y) in enumerate(loader):
        loss = criterion(model(x), y) / ACCUMULATE
        loss.backward()
        if (i + 1) % ACCUMULATE == 0:
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            average.update_parameters(model)
        total += loss.item() * ACCUMULATE
    return total / len(loader)


torch.manual_seed(10)
inputs = torch.randn(2048, 12)
labels = (inputs.sum(dim=1) > 0).long() + (inputs[:, 0] > 1).long()
loader = DataLoader(TensorDataset(inputs, labels), batch_size=16, shuffle=True)
model = nn.Sequential(nn.Linear(12, 48), nn.SiLU(), nn.LayerNorm(48), nn.Linear(48, 3))
average = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99))
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for epoch in range(3):
    print(f"epoch {epoch}: {train_one_epoch(model, average, loader, optimizer, nn.CrossEntropyLoss()):.4f}")
