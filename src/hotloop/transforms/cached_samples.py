"""Samples of a data set that are kept in memory, or in a file, once they have been made."""

from typing import Annotated, Any, Self

from hotloop.errors import NotApplicable
from hotloop.measurement import Environment
from hotloop.option import AtLeast
from hotloop.transform import Stage, TransformBase

_MIB = 2**20
_SHARE_OF_MEMORY = 0.25


class CachedSamples(TransformBase):
    """Keeps what `__getitem__` returns: up to `memory_mib` in memory that workers share, then `file_mib` in a file.

    The same samples in the same order. Refused where a sample draws random numbers, where two calls of one index
    differ, where the data set changes while it is read, and where its samples are not plain data or do not fit.
    The first samples are made twice; of kept ones the first batch of each epoch, one sample of each eighth batch, and
    all while a plan is verified are made anew and compared byte by byte.
    """

    memory_mib: Annotated[int, AtLeast(0)] = 1024
    file_mib: Annotated[int, AtLeast(0)] = 4096

    name = "cached_samples"
    stage = Stage.DATA
    affects_phases = ("data_wait", "loader_start", "evaluation")
    short_name = "cached samples"

    @classmethod
    def candidates(cls, environment: Environment) -> tuple[Self, ...]:
        """Up to a quarter of the memory that there is."""
        return (cls(memory_mib=max(1, min(4096, int(_SHARE_OF_MEMORY * environment.memory / _MIB)))),)

    def apply(self, site: dict[str, Any]) -> None:
        """Have the samples of one DataLoader's data set kept."""
        from hotloop.data.fetching.cached_path import CachedPath, check_samples
        from hotloop.data.fetching.fetch_paths import fetch_otherwise
        from hotloop.data.fetching.sample_store import SampleArena

        check_samples(site)
        limits = (self.memory_mib, self.file_mib)
        if limits not in arenas:
            arenas[limits] = SampleArena(memory=self.memory_mib * _MIB, file=self.file_mib * _MIB)
        path = fetch_otherwise(self.name, site["dataset"], lambda: CachedPath(site["dataset"], arenas[limits]))
        followed.setdefault(id(path), path)

    def confirm(self) -> None:
        """Samples must be kept, of one data set at least."""
        reasons = [path.counts.refused for path in followed.values()]
        if reasons and all(reasons):
            raise NotApplicable(reasons[0])
        if not any(path.store.num_kept for path in followed.values()):
            raise NotApplicable("no sample of a loader that it acts on has been kept")

    def told(self) -> str:
        """How many samples were asked for and were there, the bytes that are kept, and what was refused."""
        from hotloop.data.fetching.shared_counts import Count

        hits = sum(path.counts.total(Count.HITS) for path in followed.values())
        made = sum(path.counts.total(Count.MISSES) for path in followed.values())
        memory, file = (sum(used) for used in zip(*(arena.used for arena in arenas.values()), strict=True))
        rate = f"{hits / (hits + made):.0%}" if hits + made else "none"
        told = f"{rate} of {hits + made} samples from the cache, {_size(memory)} in memory and {_size(file)} in a file"
        reasons = dict.fromkeys(path.counts.refused for path in followed.values() if path.counts.refused)
        return "; ".join([told, *(f"left alone: {reason}" for reason in reasons)])


def _size(num_bytes: int) -> str:
    return f"{num_bytes / _MIB:.1f} MiB"


followed: dict[int, Any] = {}  # the way of each data set of this process
arenas: dict[tuple[int, int], Any] = {}  # by limits: memory that all data sets of this process share
