"""Sequence classification: a tiny BERT of the transformers library with random weights, AdamW."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertForSequenceClassification

from hotloop.workload import Job, Loss


@dataclass(frozen=True)
class LibraryLoss:
    """The loss that the library's own head computes from a batch with labels."""

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> Loss:
        return Loss(model(**batch).loss, len(batch["labels"]))


def build(seed: int = 0) -> Job:
    """Eight batches of 8 texts of 16 tokens; the label says whether low tokens prevail."""
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=64,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=32,
        num_labels=2,
    )
    model = BertForSequenceClassification(config)
    model.train()
    tokens = torch.randint(1, 64, (8, 8, 16))
    labels = (tokens < 32).float().mean(-1).gt(0.5).long()
    masks = torch.ones_like(tokens)
    masks[:, :, 12:] = 0
    batches = [
        {"input_ids": ids, "attention_mask": mask, "labels": label}
        for ids, mask, label in zip(tokens, masks, labels, strict=True)
    ]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    return Job(model=model, optimizer=optimizer, batches=batches, strategy=LibraryLoss())
