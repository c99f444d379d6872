"""An uninterrupted stretch: one arm on its own, with all that it started running as it would for real.

In lockstep an arm may do for free what goes on while others have their turn: a loader fills its queues up to the moment
when it is stopped, and finds them full. In a stretch nothing is stopped, and what was prepared before it is used up.
"""

import math
from dataclasses import dataclass
from typing import Self

from hotloop.measurement import Block, Memory
from hotloop.worker.turn_report import TurnReport


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Seconds of consecutive steps (`wall`, `cpu`, `cuda`), with everything that the program does between them.

    `startup_seconds` is all that passed before training ran at its usual speed: the start of the process, imports, the
    preparation of data, and what the first steps took longer than later ones (compilation). `prefetched_steps` is how
    many batches loaders may have ready ahead (0: no workers). `ended_early` where the
    program came to its own end in it.
    """

    wall: tuple[float, ...]
    cpu: tuple[float, ...]
    cuda: tuple[float, ...]
    losses: tuple[float, ...]
    startup_seconds: float
    memory: Memory
    works_beside: bool
    stopped_by: str
    prefetched_steps: int = 0
    ended_early: bool = False
    slowest_rank: str = ""

    @classmethod
    def of(cls, warm: TurnReport, timed: TurnReport, *, lead: int, stopped_by: str, ended_early: bool = False) -> Self:
        """The steps of `timed` after the first `lead`, which use up what was ready before."""
        usual = math.fsum(timed.wall[lead:]) / len(timed.wall[lead:])
        first = math.fsum(warm.wall) - usual * len(warm.wall)
        return cls(
            wall=timed.wall[lead:],
            cpu=timed.cpu[lead:],
            cuda=timed.cuda[lead:],
            losses=timed.losses[lead:],
            startup_seconds=timed.ready_seconds + max(0.0, first),
            memory=timed.memory,
            works_beside=bool(timed.children or timed.program_threads or timed.prefetched_steps),
            stopped_by=stopped_by,
            prefetched_steps=timed.prefetched_steps,
            ended_early=ended_early,
            slowest_rank=timed.slowest_rank,
        )

    def block(self, arm: str, replicate: int) -> Block:
        """The stretch as raw samples: one block in a round of its own."""
        return Block(
            replicate=replicate, round=0, arm=arm, wall=self.wall, cpu=self.cpu, cuda=self.cuda, losses=self.losses
        )

    @property
    def steps(self) -> int:
        """Steps that were timed."""
        return len(self.wall)
