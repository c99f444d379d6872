# ruff: noqa
"""A recurrent language model whose state is carried over between batches; tied weights, gradients clipped by value."""

import pydoc_data.topics as topics

import torch
from torch import nn

torch.manual_seed(0)
text = "".join(topics.topics.values())[:40000]
letters = sorted(set(text))
data = torch.tensor([letters.index(c) for c in text])
data = data[: len(data) // 16 * 16].view(16, -1)


class LanguageModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(len(letters), 32)
        self.recur = nn.LSTM(32, 64, 2, batch_first=True, dropout=0.1)
        self.narrow = nn.Linear(64, 32, bias=False)
        self.decode = nn.Linear(32, len(letters), bias=False)
        self.decode.weight = self.embed.weight

    def forward(self, x, state=None):
        hidden, state = self.recur(self.embed(x), state)
        return self.decode(self.narrow(hidden)), state


net = LanguageModel()
opt = torch.optim.Adam(net.parameters(), 2e-3)
state = None
for at in range(0, 40 * 32, 32):
    x, y = data[:, at : at + 32], data[:, at + 1 : at + 33]
    out, state = net(x, state)
    state = tuple(part.detach() for part in state)
    loss = nn.functional.cross_entropy(out.reshape(-1, len(letters)), y.reshape(-1))
    opt.zero_grad()
    loss.backward()
    nn.utils.clip_grad_value_(net.parameters(), 0.5)
    opt.step()
