"""Raw samples of a comparison with their clock, the memory of a worker, and the environment they were taken in."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Clock(StrEnum):
    """Which clock a figure was read from; seconds in every case."""

    WALL = "wall"
    CPU = "cpu"
    CUDA = "cuda"


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A ratio and the bounds it was shown to lie in; above 1 is faster than the baseline."""

    ratio: float
    low: float
    high: float

    @property
    def inverse(self) -> "Interval":
        """The same fact from the other side: above 1 is slower, or more, than the baseline."""
        return Interval(ratio=1 / self.ratio, low=1 / self.high, high=1 / self.low if self.low else math.inf)


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Peak memory of one worker in bytes: of the process tree, and of the CUDA allocator (0 without CUDA)."""

    rss: int = 0
    cuda_allocated: int = 0
    cuda_reserved: int = 0

    @property
    def peak(self) -> int:
        """The figure that is compared: of the device where the program uses one, else of the process tree."""
        return self.cuda_allocated or self.rss

    @staticmethod
    def largest(found: Sequence["Memory"]) -> "Memory":
        """The largest of each figure."""
        return Memory(
            rss=max(memory.rss for memory in found),
            cuda_allocated=max(memory.cuda_allocated for memory in found),
            cuda_reserved=max(memory.cuda_reserved for memory in found),
        )


@dataclass(frozen=True, kw_only=True)
class Block:
    """Consecutive steps of one arm that are timed together, each with its own samples: the unit of all raw data.

    `arm` names the plan ("baseline", "again" for the A/A arm, "plan", ...), `replicate` counts sets of fresh worker
    processes that lived together, `round` the turns inside. The first step of a block refills the caches that the
    neighbour emptied: it is kept in the samples and left out of the statistics.
    """

    replicate: int
    round: int
    arm: str
    wall: tuple[float, ...]
    cpu: tuple[float, ...]
    cuda: tuple[float, ...] = ()
    losses: tuple[float, ...] = ()

    def samples(self, clock: Clock) -> tuple[float, ...]:
        """Seconds of each step on `clock`, oldest first."""
        return {Clock.WALL: self.wall, Clock.CPU: self.cpu, Clock.CUDA: self.cuda}[clock]


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Everything about the machine and the call that a figure depends on, as recorded when it was taken."""

    cpu: str
    cpu_flags: tuple[str, ...]
    cores: tuple[int, ...]
    threads: int
    governor: str
    load: float
    foreign_cores: float
    memory: int
    platform: str
    python: str
    torch: str
    hotloop: str
    gpus: tuple[str, ...] = ()
    gpu_driver: str = ""
    gpu_clocks: tuple[str, ...] = ()
    git_revision: str = ""
    git_dirty: bool = False
    argv: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    allocators: Mapping[str, str] = field(default_factory=dict[str, str])
    compiler: str = ""

    @property
    def has_cuda(self) -> bool:
        """Whether this machine has a GPU that torch can use."""
        return bool(self.gpus)

    @property
    def has_bf16(self) -> bool:
        """Whether products in bf16 are faster here than in fp32: a GPU, or a CPU with instructions for them."""
        return self.has_cuda or bool({"avx512_bf16", "amx_bf16", "bf16"} & set(self.cpu_flags))
