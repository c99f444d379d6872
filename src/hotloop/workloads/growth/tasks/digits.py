"""Handwritten digits: the 1,797 images of 8 x 8 that scikit-learn ships."""

import math

import torch

from hotloop.errors import WorkloadError
from hotloop.train.strategies.classification import Classification
from hotloop.workloads.growth.cnn_host import CnnHost
from hotloop.workloads.growth.task import GrowthTask

_PARTS = (1097, 300, 400)
_ORDER_SEED = 0  # one split for all runs
_WIDTHS = (4, 8, 8)


def build() -> GrowthTask:
    """Classification of digits; a CNN of three narrow blocks.

    The task. Raises WorkloadError without scikit-learn.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise WorkloadError("the digits come with scikit-learn; pip install 'hotloop[sklearn]'") from error
    images, labels = load_digits(return_X_y=True)
    inputs = torch.tensor(images, dtype=torch.float32).view(-1, 1, 8, 8) / 16.0
    targets = torch.tensor(labels, dtype=torch.int64)
    order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(_ORDER_SEED)).split(_PARTS)
    train, validation, test = ((inputs[part], targets[part]) for part in order)
    return GrowthTask(
        name="digits",
        build_host=lambda: CnnHost(channels=1, classes=10, widths=_WIDTHS),
        strategy=Classification(),
        train=train,
        validation=validation,
        test=test,
        batch_size=64,
        chance_loss=math.log(10),
    )
