"""What training changes in a job: weights, buffers and the optimizer's tensors, by name."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hotloop.workload import Job

TensorsByName = Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class JobState:
    """Copies on the CPU in float64; tensors of the optimizer are named "parameter.key"."""

    weights: TensorsByName
    buffers: TensorsByName
    optimizer: TensorsByName

    @staticmethod
    def of(job: Job) -> "JobState":
        """What `job` holds now."""
        return JobState(
            weights=copies(job.model.named_parameters()),
            buffers=copies(job.model.named_buffers()),
            optimizer=copies(_of_optimizer(job)),
        )

    def restore(self, job: Job) -> None:
        """Write everything back in place, in whatever dtype and layout the job keeps it."""
        kept = {**self.optimizer, **self.buffers, **self.weights}
        with torch.no_grad():
            for name, tensor in (*job.model.named_parameters(), *job.model.named_buffers(), *_of_optimizer(job)):
                if plain_name(name) in kept:
                    tensor.copy_(kept[plain_name(name)])

    def changes_since(self, before: "JobState") -> "JobState":
        """This less `before`, for all that was there before."""
        return JobState(
            weights=_changes(before.weights, self.weights),
            buffers=_changes(before.buffers, self.buffers),
            optimizer=_changes(before.optimizer, self.optimizer),
        )


def copies(named: Iterable[tuple[str, Tensor]]) -> dict[str, Tensor]:
    """Copies by plain name, dense, on the CPU in float64."""
    return {plain_name(name): _copy(tensor) for name, tensor in named}


def plain_name(name: str) -> str:
    """The name without what `torch.compile(model)`, which wraps the module, puts into it."""
    return name.replace("_orig_mod.", "").removesuffix("_orig_mod")


def _of_optimizer(job: Job) -> Iterator[tuple[str, Tensor]]:
    for name, weight in job.model.named_parameters():
        kept: Mapping[str, Any] = job.optimizer.state.get(weight, {})
        yield from ((f"{name}.{key}", value) for key, value in kept.items() if isinstance(value, Tensor))


def _changes(before: TensorsByName, after: TensorsByName) -> dict[str, Tensor]:
    return {name: value - before[name] for name, value in after.items() if name in before}


def _copy(tensor: Tensor) -> Tensor:
    dense = tensor.detach().to_dense() if tensor.is_sparse else tensor.detach()
    return dense.to(device="cpu", dtype=torch.float64, copy=True)
