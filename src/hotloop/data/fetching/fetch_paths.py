"""Where the data sets of loaders are fetched another way: one hook in the fetcher of torch's loaders.

The loader, its data set, its sampler and its collate_fn stay the program's own objects; what is replaced is how the
samples of one batch are read, in the program's process or in workers that it forks. No random number is drawn.
"""

import functools
import multiprocessing
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from torch.utils.data import IterableDataset
from torch.utils.data._utils.fetch import _MapDatasetFetcher  # pyright: ignore[reportPrivateUsage]

from hotloop.data.fetching.shared_counts import SharedCounts
from hotloop.errors import NotApplicable

Plain = Callable[[Any], Any]  # from the index of a batch to the batch


class FetchPath(Protocol):
    """Another way to fetch from one data set; `counts` are shared with the workers that use it.

    One that `is_thread_safe` may be gone by one thread while others draw random numbers.
    """

    counts: SharedCounts
    is_thread_safe: bool

    def fetch(self, fetcher: Any, index: Any, plain: Plain) -> Any:
        """The batch that `plain(index)` gives; `fetcher` has the loader's `dataset`, `auto_collation`, `collate_fn`."""
        ...


paths: dict[int, tuple[weakref.ref[Any], dict[str, FetchPath]]] = {}


def check_site(site: Mapping[str, Any]) -> None:
    """Raise NotApplicable for a loader whose data set is not read by index, or is read where no hook of ours is."""
    if isinstance(site["dataset"], IterableDataset):
        raise NotApplicable("an IterableDataset gives its samples itself; there is no index to fetch by")
    if type(site["dataset"]) in (list, tuple, range):
        raise NotApplicable(f"the data set is a {type(site['dataset']).__name__}, which is as fast as indexing can be")
    context = site.get("multiprocessing_context")
    method = context if isinstance(context, str) else getattr(context, "_name", None) or _start_method()
    if site.get("num_workers", 0) > 0 and method != "fork":
        raise NotApplicable(f"its workers are started by {method}, not forked: they know nothing of this plan")


def fetch_otherwise(name: str, dataset: Any, make: Callable[[], FetchPath]) -> FetchPath:
    """The way of that name to fetch from `dataset`, made where there is none yet, for all of its loaders."""
    key = id(dataset)
    known = paths.get(key)
    if known is None or known[0]() is not dataset:
        try:
            known = paths[key] = (weakref.ref(dataset, lambda _: paths.pop(key, None)), {})
        except TypeError:
            raise NotApplicable(f"a {type(dataset).__name__} cannot be followed: it allows no weak reference") from None
        _hook()
    if name not in known[1]:
        known[1][name] = make()
    return known[1][name]


def paths_of(dataset: Any) -> Mapping[str, FetchPath]:
    """The other ways to fetch from it, by name."""
    known = paths.get(id(dataset))
    return known[1] if known is not None and known[0]() is dataset else {}


def _hook() -> None:
    kind: Any = _MapDatasetFetcher
    original: Any = kind.fetch
    if hasattr(original, "goes_other_ways"):
        return

    def fetch(fetcher: Any, index: Any) -> Any:
        way: Plain = functools.partial(original, fetcher)
        for path in reversed(tuple(paths_of(fetcher.dataset).values())):
            way = _through(path, fetcher, way)
        return way(index)

    fetch.goes_other_ways = True  # pyright: ignore[reportFunctionMemberAccess]
    kind.fetch = fetch


def _through(path: FetchPath, fetcher: Any, plain: Plain) -> Plain:
    return lambda index: path.fetch(fetcher, index, plain)


def _start_method() -> str:
    return multiprocessing.get_start_method(allow_none=True) or multiprocessing.get_all_start_methods()[0]
