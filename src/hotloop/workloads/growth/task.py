"""A task: a host, its loss, and data that was split once and for all."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from hotloop import registry
from hotloop.errors import WorkloadError
from hotloop.workload import Strategy
from hotloop.workloads.growth.host import Host

Split = tuple[Tensor, Tensor]


@dataclass(frozen=True, kw_only=True)
class GrowthTask:
    """Inputs and targets of three parts that share nothing; `chance_loss` is the loss of a uniform guess.

    `build_host` draws weights from torch's global generator.
    """

    name: str
    build_host: Callable[[], Host]
    strategy: Strategy
    train: Split
    validation: Split
    test: Split
    batch_size: int
    chance_loss: float


def load_task(name: str) -> GrowthTask:
    """The task of that name; needs no network. Raises WorkloadError where there is none."""
    known = registry.names("growth_tasks")
    if name not in known:
        raise WorkloadError(f"got the task {name!r}; there are {', '.join(known)}: name one of them")
    return registry.load("growth_tasks", name)()
