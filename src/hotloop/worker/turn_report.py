"""What a timed worker answers after each turn."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from hotloop.measurement import Memory


@dataclass(frozen=True, kw_only=True)
class TurnReport:
    """The steps of one turn, and the state of the process at its end.

    `wall`, `cpu` and `cuda` are seconds of each step, `losses` NaN where a step differentiated nothing. `steps` counts
    all steps so far, `children` the processes that it started, `program_threads` its Python threads beside the main
    one, `prefetched_steps` the batches that loaders may have ready ahead of the program. `not_applied` says of which
    transforms nothing came, and why; `sites_changed` how many models, optimizers or loaders each one reached, and
    `figures` what they counted. `rss`, `cuda_allocated` and `cuda_reserved` are peaks in bytes. `ready_seconds` passed
    between the start of the process and the moment when it was ready to train. `slowest_rank` says which of several
    ranks the others wait for, and what it waits for itself.
    """

    wall: tuple[float, ...]
    cpu: tuple[float, ...]
    cuda: tuple[float, ...]
    losses: tuple[float, ...]
    steps: int
    threads: int
    children: int
    program_threads: int
    prefetched_steps: int
    roots: int
    optimizers: tuple[str, ...]
    not_applied: Mapping[str, str]
    sites_changed: Mapping[str, str]
    figures: Mapping[str, float]
    rss: int
    cuda_allocated: int
    cuda_reserved: int
    ready_seconds: float
    slowest_rank: str = ""

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self:
        """The report in a worker's message, in which a loss that nobody saw is null."""
        values: dict[str, Any] = {field.name: message[field.name] for field in fields(cls) if field.name in message}
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        values["losses"] = tuple(math.nan if loss is None else loss for loss in message["losses"])
        return cls(**values)

    @property
    def memory(self) -> Memory:
        """Peak memory of the worker so far."""
        return Memory(rss=self.rss, cuda_allocated=self.cuda_allocated, cuda_reserved=self.cuda_reserved)
