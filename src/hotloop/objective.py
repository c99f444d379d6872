"""Objective: what a plan is to be better at, and what it may cost for that."""

from enum import StrEnum

MOST_SLOWDOWN = 1.5
"""Times as long as a step of the untransformed program may take where memory is the objective.

Recomputing all activations makes the forward pass twice, a third more work (Chen et al. 2016, arXiv:1604.06174); the
rest is room for a change of precision or of the allocator.
"""


class Objective(StrEnum):
    """What a search keeps and a confirmation claims.

    THROUGHPUT: shorter steps, whatever they keep in memory. MEMORY: the lowest peak of memory, with steps that take at
    most `MOST_SLOWDOWN` times as long. BOTH: one of the two better, and the other not worse.
    """

    THROUGHPUT = "throughput"
    MEMORY = "memory"
    BOTH = "both"

    @property
    def counts_memory(self) -> bool:
        """Whether less memory is a gain."""
        return self is not Objective.THROUGHPUT
