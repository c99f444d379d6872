"""A GRU over sequences: gradients accumulated over two batches, clipping, a learning rate that falls each epoch."""

import sys

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Tagger(nn.Module):
    """One tag for each token."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(40, 24)
        self.layers = nn.GRU(24, 48, num_layers=2, batch_first=True, dropout=0.2)
        self.head = nn.Linear(48, 5)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits of the tags."""
        states, _ = self.layers(self.tokens(tokens))
        return self.head(states)


torch.manual_seed(0)
tokens = torch.randint(0, 40, (160, 12))
tags = (tokens.cumsum(1) + tokens) % 5
model = Tagger()
optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9, weight_decay=1e-3)
schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
loader = DataLoader(TensorDataset(tokens, tags), batch_size=16, shuffle=True)
for _ in range(int(sys.argv[1]) if sys.argv[1:] else 10**9):
    for index, (inputs, targets) in enumerate(loader):
        loss = nn.functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten()) / 2
        loss.backward()
        if index % 2:
            nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            optimizer.step()
            optimizer.zero_grad()
    schedule.step()
