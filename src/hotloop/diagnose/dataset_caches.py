"""How often the caches that a data set asks answer, over a stretch of a run."""

import functools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from hotloop.diagnose.call_sites import CallSites


@dataclass(frozen=True, kw_only=True)
class CacheCounts:
    """A cache of functools: where its function is defined, how much it holds, and its hits and misses."""

    name: str
    path: str
    line: int
    size: int | None
    hits: int
    misses: int

    @property
    def calls(self) -> int:
        """Hits and misses."""
        return self.hits + self.misses


class DatasetCaches:
    """The caches of some data sets, counted from now on."""

    def __init__(self, call_sites: CallSites, datasets: Iterable[Any]) -> None:
        self._call_sites = call_sites
        self._found = {name: cached for dataset in datasets for name, cached in _caches(dataset).items()}
        self._before = {name: cached.cache_info() for name, cached in self._found.items()}

    def counts(self) -> list[CacheCounts]:
        """Hits and misses of each since."""
        found: list[CacheCounts] = []
        for name, cached in self._found.items():
            now, before = cached.cache_info(), self._before[name]
            hits, misses = now.hits - before.hits, now.misses - before.misses
            code = getattr(getattr(cached, "__wrapped__", None), "__code__", None)
            path, line = (self._call_sites.original(code.co_filename), code.co_firstlineno) if code else ("", 0)
            found.append(CacheCounts(name=name, path=path, line=line, size=now.maxsize, hits=hits, misses=misses))
        return found


def total(counts: Iterable[CacheCounts]) -> list[CacheCounts]:
    """One for each cache: what each process has asked its own copy of it, added up."""
    sums: dict[tuple[str, str, int], CacheCounts] = {}
    for each in counts:
        key = (each.name, each.path, each.line)
        known = sums.get(key)
        sums[key] = replace(each, hits=known.hits + each.hits, misses=known.misses + each.misses) if known else each
    return list(sums.values())


def _caches(dataset: Any) -> dict[str, Any]:
    """Caches of functools that the data set's __getitem__ or __iter__ names, as attributes or globals."""
    found: dict[str, Any] = {}
    for method in (getattr(type(dataset), name, None) for name in ("__getitem__", "__iter__")):
        code = getattr(method, "__code__", None)
        for name in code.co_names if code else ():
            for value in (getattr(dataset, name, None), getattr(method, "__globals__", {}).get(name)):
                cached = getattr(value, "__func__", value)
                if isinstance(cached, functools._lru_cache_wrapper):  # pyright: ignore[reportPrivateUsage]
                    found[name] = cached
    return found
