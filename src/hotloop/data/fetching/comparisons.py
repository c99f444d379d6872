"""Which batches are fetched both ways and compared, and what happens where they differ."""

from typing import Any

from torch import Tensor

from hotloop.data.fetching.same_batches import first_difference
from hotloop.data.fetching.shared_counts import Count, SharedCounts
from hotloop.errors import ChangedData

_FIRST = 8
_ONE_IN = 256


class ComparisonSchedule:
    """Whether every batch is compared: in a run that is watched to verify a plan."""

    is_watched = False


schedule = ComparisonSchedule()


def compare_every_batch() -> None:
    """From now on, in this process and in those that it forks."""
    schedule.is_watched = True


def is_watched() -> bool:
    """Whether every batch is compared here."""
    return schedule.is_watched


def is_due(counts: SharedCounts) -> bool:
    """Whether the next batch of this process is to be compared: the first few, and a few of the later ones."""
    number = counts.own(Count.FETCHED)
    return schedule.is_watched or number < _FIRST or number % _ONE_IN == 0


def compared(mine: Any, plain: Any, counts: SharedCounts, *, name: str, on_host: bool = False) -> Any:
    """`mine` where it is the plain batch; else the plain one, and nothing goes the other way from then on.

    With `on_host` it does not count which device tensors of `mine` are on. Raises ChangedData for a difference in a run
    that is watched: there it is the plan that failed.
    """
    counts.add(Count.COMPARED)
    difference = first_difference(_on_host(mine) if on_host else mine, plain)
    if difference is None:
        return mine
    reason = f"it would have changed the data: {difference}"
    counts.refuse(reason)
    if schedule.is_watched:
        raise ChangedData(f"{name}: {reason}; the plain way was fetched beside it")
    return plain


def _on_host(batch: Any) -> Any:
    if isinstance(batch, Tensor):
        return batch.cpu()
    if isinstance(batch, dict):
        return {key: _on_host(part) for key, part in batch.items()}
    return [_on_host(part) for part in batch] if isinstance(batch, list) else batch
