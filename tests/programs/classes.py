"""A small classifier on batches drawn at random, with the learning rate as its argument."""

import sys

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

lr, epochs = float(sys.argv[1]), int(sys.argv[2])
torch.manual_seed(0)
inputs = torch.randn(2048, 16)
hidden = nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 4)).requires_grad_(False)
labels = (3 * hidden(inputs)).argmax(1)
model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 4))
optimizer = torch.optim.Adam(model.parameters(), lr=lr)
loader = DataLoader(TensorDataset(inputs, labels), batch_size=64, shuffle=True)
loss_of = nn.CrossEntropyLoss()
for _ in range(epochs):
    for batch, target in loader:
        optimizer.zero_grad()
        loss_of(model(batch), target).backward()
        optimizer.step()
