"""How DataLoaders fetch: worker processes, prefetching, pinned memory."""

from typing import Annotated, Any, Self

from hotloop.errors import NotApplicable
from hotloop.measurement import Environment
from hotloop.option import AtLeast
from hotloop.transform import Stage, TransformBase


class DataLoading(TransformBase):
    """Builds the program's own DataLoaders with workers, and pinned memory for CUDA.

    Samples come in the same order, in every epoch; random numbers drawn inside the dataset come from the workers'
    streams. Workers are started anew for each epoch, so that they see what the program has changed in its dataset.
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
            site.update(num_workers=self.workers, prefetch_factor=self.prefetch)
            _note_workers()
        if self.pin_memory:
            site["pin_memory"] = True

    def confirm(self) -> None:
        """An epoch must have begun with living workers, where workers were asked for."""
        if self.workers and not epochs_begun.had_workers:
            raise NotApplicable("no loader that was given workers has been iterated")


class _Epochs:
    """Whether an epoch has begun in this process whose batches come from living worker processes."""

    had_workers = False


epochs_begun = _Epochs()


def _note_workers() -> None:
    """Look at the worker processes of each epoch that begins."""
    from torch.utils.data import dataloader

    iterator: Any = dataloader._MultiProcessingDataLoaderIter  # pyright: ignore[reportPrivateUsage]
    original = iterator.__init__
    if hasattr(original, "notes_workers"):
        return

    def init(self: Any, loader: Any) -> None:
        original(self, loader)
        epochs_begun.had_workers = epochs_begun.had_workers or any(worker.is_alive() for worker in self._workers)

    init.notes_workers = True  # pyright: ignore[reportFunctionMemberAccess]
    iterator.__init__ = init
