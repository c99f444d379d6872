"""Batches gathered at once from the columns of a data set, held against those that are stacked sample by sample."""

from collections.abc import Mapping
from typing import Any

from torch.utils.data import default_collate

from hotloop.data.fetching.column_gather import ColumnGather
from hotloop.data.fetching.comparisons import compared, is_due
from hotloop.data.fetching.fetch_paths import Plain, check_site
from hotloop.data.fetching.shared_counts import Count, SharedCounts
from hotloop.errors import NotApplicable


class BatchedPath:
    """Gathers whole batches; one for each data set."""

    is_thread_safe = True

    def __init__(self, dataset: Any) -> None:
        """Raises NotApplicable where a sample of the data set is not just a row of some columns."""
        self._gather = ColumnGather(dataset)
        self.counts = SharedCounts()

    def fetch(self, fetcher: Any, index: Any, plain: Plain) -> Any:
        """The batch, gathered where it can be; what is asked of a loader that collates otherwise stays plain."""
        counts = self.counts
        if counts.refused is not None or not fetcher.auto_collation or fetcher.collate_fn is not default_collate:
            return plain(index)
        batch = self._gather.batch(fetcher.dataset, index)
        if batch is None:
            counts.add(Count.PLAIN)
            return plain(index)
        if is_due(counts):
            batch = compared(batch, plain(index), counts, name="batched_fetch")
        counts.add(Count.FETCHED)
        return batch


def check_batches(site: Mapping[str, Any]) -> None:
    """Raise NotApplicable for a loader that does not stack its batches by `default_collate`."""
    check_site(site)
    if site.get("batch_size", 1) is None and site.get("batch_sampler") is None:
        raise NotApplicable("with batch_size=None the loader asks for one sample at a time")
    collate = site.get("collate_fn")
    if collate is not None and collate is not default_collate:
        raise NotApplicable("a collate_fn of the program's own is given samples one by one, and may change them")
