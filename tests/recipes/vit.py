"""Image classification on scikit-learn's digits: a tiny ViT of the transformers library with random weights, AdamW."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from transformers import ViTConfig, ViTForImageClassification

from hotloop.workload import Job, Loss


@dataclass(frozen=True)
class LibraryLoss:
    """The loss that the library's own head computes from a batch with labels."""

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> Loss:
        return Loss(model(**batch).loss, len(batch["labels"]))


def build(seed: int = 0) -> Job:
    """Ten batches of 16 digits of 8x8 pixels in patches of 2x2."""
    torch.manual_seed(seed)
    pixels, target = _digits()
    order = torch.randperm(len(target))[:160]
    images = torch.tensor(pixels, dtype=torch.float32)[order].view(10, 16, 1, 8, 8) / 16
    labels = torch.tensor(target)[order].view(10, 16)
    config = ViTConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        image_size=8,
        patch_size=2,
        num_channels=1,
        num_labels=10,
        hidden_dropout_prob=0.1,
        attention_probs_dropout_prob=0.1,
    )
    model = ViTForImageClassification(config)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
    batches = [{"pixel_values": image, "labels": label} for image, label in zip(images, labels, strict=True)]
    return Job(model=model, optimizer=optimizer, batches=batches, strategy=LibraryLoss())


@cache
def _digits() -> tuple[np.ndarray, np.ndarray]:
    return load_digits(return_X_y=True)
