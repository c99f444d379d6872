"""GPT-2 of transformers, small, from random weights, on the characters of Python's license."""

import torch
from text import license_text
from torch.utils.data import DataLoader, TensorDataset
from transformers import GPT2Config, GPT2LMHeadModel

torch.manual_seed(0)
LENGTH = 64
text, vocabulary = license_text()
windows = TensorDataset(text.unfold(0, LENGTH, 16).contiguous())
loader = DataLoader(windows, batch_size=16, shuffle=True, drop_last=True)

config = GPT2Config(vocab_size=vocabulary, n_positions=LENGTH, n_embd=128, n_layer=4, n_head=4)
model = GPT2LMHeadModel(config)
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4)

for epoch in range(1000):
    for (tokens,) in loader:
        loss = model(input_ids=tokens, labels=tokens).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    print(f"epoch {epoch}: {loss.item():.3f}")
