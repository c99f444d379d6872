"""Measurement: raw samples of one comparison, with unit and environment; statistics are computed, never stored."""

from collections.abc import Mapping
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

    median: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Peak memory of one worker in bytes: of the process tree, and of the CUDA allocator (0 without CUDA)."""

    rss: int = 0
    cuda_allocated: int = 0
    cuda_reserved: int = 0


@dataclass(frozen=True, kw_only=True)
class Block:
    """One turn of one worker: a few steps in a row, each with its own samples, the unit of all raw data.

    `arm` names the plan ("baseline", "again" for the A/A arm, "candidate", ...), `pair` counts groups of worker
    processes that lived together, `round` the turns inside. The first step of a block refills the caches that the
    neighbour emptied: it is kept in the samples and left out of the statistics.
    """

    pair: int
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


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Raw blocks of one comparison, in the order in which they were taken.

    `startup` holds, by arm and then by pair, the seconds from the start of the process to its first measured step:
    imports, the script's own setting up, compilation.
    """

    environment: Environment
    clock: Clock
    blocks: tuple[Block, ...]
    memory: Mapping[str, Memory] = field(default_factory=dict[str, Memory])
    startup: Mapping[str, tuple[float, ...]] = field(default_factory=dict[str, tuple[float, ...]])
    notes: tuple[str, ...] = ()
