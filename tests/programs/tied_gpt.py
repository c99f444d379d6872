"""A tiny language model whose head is its embedding; dropout as a module, RMSNorm, Adam."""

import sys

import torch
from torch import Tensor, nn


class TiedGPT(nn.Module):
    """One encoder layer over a vocabulary of 30."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(30, 32), nn.Parameter(torch.randn(16, 32) / 8)
        self.layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.1, batch_first=True, norm_first=True)
        self.middle, self.norm = nn.Linear(32, 32), nn.RMSNorm(32)
        self.head = nn.Linear(32, 30, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits of the next token."""
        hidden = self.tokens(tokens) + self.places
        mask = nn.Transformer.generate_square_subsequent_mask(16)
        return self.head(self.norm(self.middle(self.layer(hidden, src_mask=mask, is_causal=True))))


torch.manual_seed(0)
text = torch.cumsum(torch.randint(1, 4, (4_000,)), 0) % 30
model = TiedGPT()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for _ in range(int(sys.argv[1]) if sys.argv[1:] else 10**9):
    starts = torch.randint(0, len(text) - 17, (8,))
    batch = torch.stack([text[start : start + 17] for start in starts])
    loss = nn.functional.cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten(), label_smoothing=0.05)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
