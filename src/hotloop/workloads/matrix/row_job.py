"""The job of one row of a matrix: a model on random inputs, with the loss and the optimizer that the row names."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hotloop.errors import WorkloadError
from hotloop.import_path import ImportPathError, imported
from hotloop.workload import Job, Loss
from hotloop.workloads.matrix.matrix import InputConfig, MatrixRow

_BATCHES = 4


class OutputLoss:
    """The loss of a model's outputs alone; inputs are all that a batch holds."""

    def __init__(self, score: Callable[[Any], Tensor], *, count: int) -> None:
        self._score = score
        self._count = count

    def loss(self, model: nn.Module, batch: Any) -> Loss:
        """A mean over the samples of the batch."""
        return Loss(self._score(model(*batch)), self._count)


class FixedTargets:
    """Cross-entropy against targets that count through the classes, which are the last dimension of the outputs."""

    def __init__(self) -> None:
        self._targets: dict[torch.Size, Tensor] = {}

    def __call__(self, outputs: Tensor) -> Tensor:
        rows = outputs.flatten(0, -2)
        targets = self._targets.get(rows.shape)
        if targets is None:
            targets = torch.arange(len(rows), device=rows.device) % rows.shape[-1]
            self._targets[rows.shape] = targets
        return F.cross_entropy(rows, targets)


def load_model(row: MatrixRow, *, folder: Path) -> nn.Module:
    """The model that a row names, on the GPU where there is one. Raises WorkloadError where the path leads nowhere."""
    sys.path.insert(0, str(folder))
    made = _named(row.model.model)(**row.model.kwargs)
    if not isinstance(made, nn.Module):
        kind = type(made).__name__
        raise WorkloadError(f"{row.model.model} returned {kind}; it must return a torch.nn.Module: name what makes one")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return made.to(device=device, dtype=getattr(torch, row.dtype))


def model_job(row: MatrixRow, model: nn.Module, *, seed: int) -> Job:
    """Four batches of random inputs, the same for the same seed, on the device of the model."""
    generator = torch.Generator().manual_seed(seed)
    tensor = next(iter((*model.parameters(), *model.buffers())), torch.empty(0))
    place: dict[str, Any] = {"device": tensor.device, "dtype": getattr(torch, row.dtype)}
    batches = [
        tuple(_drawn(config, row.batch, generator, place) for config in row.model.inputs) for _ in range(_BATCHES)
    ]
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not parameters:
        raise WorkloadError(f"{row.model.model} has nothing to train: no parameter of it requires a gradient")
    return Job(
        model=model,
        optimizer=_named(row.model.optimizer)(parameters, **row.model.optimizer_kwargs),
        batches=batches,
        strategy=OutputLoss(_score(row.model.loss), count=row.batch),
    )


def _drawn(config: InputConfig, batch: int, generator: torch.Generator, place: Mapping[str, Any]) -> Tensor:
    shape = (batch, *config.shape)
    if config.high is not None:
        return torch.randint(0, config.high, shape, generator=generator).to(place["device"])
    return torch.randn(shape, generator=generator).to(**place)


def _score(name: str) -> Callable[[Any], Tensor]:
    if name == "square":
        return lambda outputs: outputs.square().mean()
    return FixedTargets() if name == "cross_entropy" else _named(name)


def _named(path: str) -> Callable[..., Any]:
    try:
        return imported(path)
    except ImportPathError as error:
        raise WorkloadError(f"{path!r} leads nowhere: {error}; modules beside the matrix can be named too") from error
