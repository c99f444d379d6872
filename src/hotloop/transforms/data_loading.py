"""How DataLoaders fetch: worker processes, prefetching, pinned memory."""

from typing import Annotated, Any, Self

from hotloop.errors import NotApplicable
from hotloop.measurement import Environment
from hotloop.option import AtLeast
from hotloop.transform import Stage, TransformBase


class DataLoading(TransformBase):
    """Builds the program's own DataLoaders with persistent workers, and pinned memory for CUDA.

    Samples come in the same order, in every epoch; random numbers drawn inside the dataset come from the workers'
    streams.
    """

    workers: Annotated[int, AtLeast(0)] = 2
    prefetch: Annotated[int, AtLeast(1)] = 2
    pin_memory: bool = False

    name = "data_loading"
    stage = Stage.DATA
    affects_phases = ("data_wait", "loader_start", "evaluation", "host_to_device")

    @property
    def short_name(self) -> str:
        """A few words for tables; what is not the default comes behind the workers."""
        workers = f"loader {self.workers} worker{'' if self.workers == 1 else 's'}"
        prefetch = None if self.prefetch == 2 else f"prefetch {self.prefetch}"
        return " ".join(filter(None, [workers, prefetch, "pinned" if self.pin_memory else None]))

    @classmethod
    def candidates(cls, environment: Environment) -> tuple[Self, ...]:
        """A few worker counts up to the cores there are."""
        counts = sorted({1, min(4, len(environment.cores))}, reverse=True)
        return tuple(cls(workers=count, pin_memory=environment.has_cuda) for count in counts)

    def check(self, environment: Environment) -> None:
        """Workers need cores of their own; pinned memory needs CUDA."""
        if self.workers >= 1 and len(environment.cores) < 2:
            raise NotApplicable("one core: a worker process would only take it away from training")
        if self.pin_memory and not environment.has_cuda:
            raise NotApplicable("pinned memory speeds up copies to a CUDA device, and there is none here")

    def apply(self, site: dict[str, Any]) -> None:
        """Change the arguments of one DataLoader."""
        from torch.utils.data import IterableDataset

        if isinstance(site["dataset"], IterableDataset):
            raise NotApplicable("an IterableDataset would be read once by each worker; its order is its own matter")
        if site.get("num_workers", 0) > 0:
            raise NotApplicable(f"the program already uses {site['num_workers']} loader workers")
        if self.workers:
            site.update(num_workers=self.workers, persistent_workers=True, prefetch_factor=_Prefetch(self.prefetch))
            _keep_stream()
        if self.pin_memory:
            site["pin_memory"] = True


class _Prefetch(int):
    """The number by which a loader is known that this transform has changed."""


def _keep_stream() -> None:
    """Let later epochs draw the seed that each epoch without persistent workers draws; it is used for nothing.

    Without it the global stream would be one number behind from the second epoch on: another shuffle, other dropout.
    """
    import torch
    from torch.utils.data import dataloader

    iterator: Any = dataloader._MultiProcessingDataLoaderIter  # pyright: ignore[reportPrivateUsage]
    original = iterator._reset
    if getattr(original, "keeps_stream", False):
        return

    def reset(self: Any, loader: Any, first_iter: bool = False) -> None:
        if not first_iter and isinstance(loader.prefetch_factor, _Prefetch):
            torch.empty((), dtype=torch.int64).random_(generator=loader.generator)
        original(self, loader, first_iter)

    reset.keeps_stream = True  # pyright: ignore[reportFunctionMemberAccess]
    iterator._reset = reset
