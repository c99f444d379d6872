"""What both sides of against_gromo.py share: data, batches, sizes, how a side answers. Needs torch and scikit-learn.

Nothing of hotloop or gromo is imported here, so that it runs in either environment.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

INPUTS, WIDTHS, CLASSES = 64, (8, 8), 10
PARTS, ORDER_SEED = (1097, 300, 400), 0  # the split of hotloop's task "digits"
BATCH, LR, WEIGHT_DECAY = 64, 3e-3, 5e-4  # AdamW, for what was there and for what grew


@dataclass(frozen=True)
class Part:
    """Inputs (N, 64) from 0 to 1, and labels."""

    inputs: Tensor
    labels: Tensor

    def batches(self, seed: int, epoch: int) -> list[tuple[Tensor, Tensor]]:
        """The batches of an epoch, in the order in which hotloop's SharedEpochs has them."""
        generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
        order = torch.randperm(len(self.labels), generator=generator).split(BATCH)
        return [(self.inputs[rows], self.labels[rows]) for rows in order]


def parts() -> tuple[Part, Part, Part]:
    """Training, validation, test."""
    images, labels = load_digits(return_X_y=True)
    inputs = torch.tensor(images, dtype=torch.float32) / 16.0
    targets = torch.tensor(labels, dtype=torch.int64)
    order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(ORDER_SEED)).split(PARTS)
    train, validation, test = (Part(inputs[rows], targets[rows]) for rows in order)
    return train, validation, test


@torch.no_grad()
def accuracy(model: nn.Module, part: Part) -> float:
    """In percent."""
    return 100.0 * (model(part.inputs).argmax(1) == part.labels).double().mean().item()


def answer(commands: dict[str, Callable[..., Any]]) -> None:
    """Do what each line of stdin says, a JSON object with the name of a command and its options; answer in JSON."""
    torch.set_num_threads(1)
    out, sys.stdout = sys.stdout, sys.stderr  # what a library prints must not come between
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(commands[asked.pop("do")](**asked)), file=out, flush=True)
