"""Two phases: the head is trained on a frozen body first, then everything at a smaller rate with label noise off."""

import torch
from torch import nn


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(20, 40), nn.Tanh(), nn.Linear(40, 40), nn.Tanh())
        self.head = nn.Linear(40, 3)

    def forward(self, x):
        return self.head(self.body(x))


def run_phase(model, optimizer, batches, criterion):
    loss = None
    for x, y in batches:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
    return loss.item()


torch.manual_seed(11)
inputs = torch.randn(1200, 20)
labels = inputs[:, :3].argmax(dim=1)
batches = list(zip(inputs.split(40), labels.split(40)))
model = Classifier()

for parameter in model.body.parameters():
    parameter.requires_grad_(False)
optimizer = torch.optim.Adam(model.head.parameters(), lr=1e-2)
for epoch in range(2):
    print(f"head, epoch {epoch}: {run_phase(model, optimizer, batches, nn.CrossEntropyLoss(label_smoothing=0.1)):.4f}")

for parameter in model.body.parameters():
    parameter.requires_grad_(True)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
criterion = nn.CrossEntropyLoss()
for epoch in range(2):
    print(f"all, epoch {epoch}: {run_phase(model, optimizer, batches, criterion):.4f}")
