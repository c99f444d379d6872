"""The model of beside/train.py: a GRU over words."""

from torch import nn


class WordGRU(nn.Module):
    def __init__(self, num_words, width=192):
        super().__init__()
        self.embed = nn.Embedding(num_words, width)
        self.gru = nn.GRU(width, width, batch_first=True)
        self.head = nn.Linear(width, num_words)

    def forward(self, ids):
        hidden, _ = self.gru(self.embed(ids))
        return self.head(hidden)
