"""An LSTM language model that carries its state from one window to the next."""

import torch
from torch import nn


class LanguageModel(nn.Module):
    def __init__(self, vocabulary, width):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.lstm = nn.LSTM(width, width, batch_first=True)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, tokens, state):
        out, state = self.lstm(self.embed(tokens), state)
        return self.head(out), state


torch.manual_seed(3)
stream = torch.randint(0, 40, (8, 16 * 60 + 1))
model = LanguageModel(40, 32)
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
criterion = nn.CrossEntropyLoss()

for epoch in range(2):
    hidden = torch.zeros(1, 8, 32)
    cell = torch.zeros(1, 8, 32)
    for start in range(0, stream.size(1) - 1, 16):
        tokens = stream[:, start : start + 16]
        following = stream[:, start + 1 : start + 17]
        model.zero_grad()
        logits, (hidden, cell) = model(tokens, (hidden.detach(), cell.detach()))
        loss = criterion(logits.reshape(-1, 40), following.reshape(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
    print(f"epoch {epoch}: perplexity {loss.exp().item():.1f}")
