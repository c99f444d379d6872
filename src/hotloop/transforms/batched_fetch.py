"""Batches of a data set in memory, gathered at once in place of sample by sample."""

from typing import Any

from hotloop.errors import NotApplicable
from hotloop.transform import Stage, TransformBase


class BatchedFetch(TransformBase):
    """Gathers each batch of tensors, arrays and lists with one operation, for data sets that only index them.

    That are TensorDataset, Subset of such, and classes whose `__getitem__` returns rows of its attributes. The same
    samples in the same order: the first batches of each process, one of 256 later ones, and every batch while a plan
    is verified are fetched both ways and compared byte by byte.
    """

    name = "batched_fetch"
    stage = Stage.DATA
    affects_phases = ("data_wait", "loader_start", "evaluation")
    short_name = "batched fetch"

    def apply(self, site: dict[str, Any]) -> None:
        """Have the data set of one DataLoader fetched batch by batch."""
        from hotloop.data.fetching.batched_path import BatchedPath, check_batches
        from hotloop.data.fetching.fetch_paths import fetch_otherwise

        check_batches(site)
        path = fetch_otherwise(self.name, site["dataset"], lambda: BatchedPath(site["dataset"]))
        followed.setdefault(id(path), path.counts)

    def confirm(self) -> None:
        """A batch must have been gathered, and none may have differed from the plain one."""
        from hotloop.data.fetching.shared_counts import Count

        reason = next(filter(None, (counts.refused for counts in followed.values())), None)
        if reason is not None:
            raise NotApplicable(reason)
        if not any(counts.total(Count.FETCHED) for counts in followed.values()):
            raise NotApplicable("no batch of a loader that it acts on has been gathered")

    def told(self) -> str:
        """How many batches were gathered, and how many of them were compared."""
        from hotloop.data.fetching.shared_counts import Count

        gathered, compared = (
            sum(counts.total(count) for counts in followed.values()) for count in (Count.FETCHED, Count.COMPARED)
        )
        return f"{gathered} batches gathered, {compared} of them compared"


followed: dict[int, Any] = {}  # the counts of each data set of this process
