"""BERT of transformers, small, from random weights: which half of the license does a piece of text come from?"""

import torch
from text import license_text
from torch.utils.data import DataLoader, TensorDataset
from transformers import BertConfig, BertForSequenceClassification

torch.manual_seed(0)
LENGTH = 64
text, vocabulary = license_text()
windows = text.unfold(0, LENGTH, 16).contiguous()
labels = (torch.arange(len(windows)) >= len(windows) // 2).long()
loader = DataLoader(TensorDataset(windows, labels), batch_size=16, shuffle=True, drop_last=True)

config = BertConfig(
    vocab_size=vocabulary,
    hidden_size=128,
    num_hidden_layers=4,
    num_attention_heads=4,
    intermediate_size=512,
    max_position_embeddings=LENGTH,
)
model = BertForSequenceClassification(config)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)

for epoch in range(1000):
    model.train()
    for tokens, label in loader:
        optimizer.zero_grad()
        outputs = model(input_ids=tokens, labels=label)
        outputs.loss.backward()
        optimizer.step()
    print(f"epoch {epoch}: {outputs.loss.item():.3f}")
