"""How DataLoaders fetch: worker processes, prefetching, pinned memory."""

from typing import Annotated, Any, Self

from hotloop.errors import NotApplicable
from hotloop.measurement import Environment
from hotloop.option import AtLeast
from hotloop.transform import Stage, TransformBase


class DataLoading(TransformBase):
    """Builds the program's own DataLoaders with so many workers, and pinned memory for CUDA.

    Samples come in the same order, in every epoch, of loaders that are iterated over together too; random numbers drawn
    inside the dataset come from the workers' streams. Workers are started anew for each epoch, so that they see what
    the program has changed in its dataset; with `persistent` only where an attribute of it has changed, and the
    program's random stream moves as if they were new. What a program asks for itself (persistent workers, a
    worker_init_fn) is left as it is.
    """

    workers: Annotated[int, AtLeast(0)] = 2
    prefetch: Annotated[int, AtLeast(1)] = 2
    pin_memory: bool = False
    persistent: bool = False

    name = "data_loading"
    stage = Stage.DATA
    affects_phases = ("data_wait", "loader_start", "evaluation", "host_to_device")

    @property
    def short_name(self) -> str:
        """A few words for tables; what is not the default comes behind the workers."""
        workers = f"loader {self.workers} " + (
            "kept" if self.persistent else f"worker{'' if self.workers == 1 else 's'}"
        )
        prefetch = None if self.prefetch == 2 else f"prefetch {self.prefetch}"
        return " ".join(filter(None, [workers, prefetch, "pinned" if self.pin_memory else None]))

    @classmethod
    def candidates(cls, environment: Environment) -> tuple[Self, ...]:
        """A few worker counts up to the cores that are free, workers that stay, and none at all."""
        free = max(1, round(len(environment.cores) - environment.foreign_cores))
        most, pins = min(4, free), environment.has_cuda
        counts = sorted({1, most}, reverse=True)
        workers = tuple(cls(workers=count, pin_memory=pins) for count in counts)
        return (*workers, cls(workers=most, persistent=True), cls(workers=0, pin_memory=pins))

    def check(self, environment: Environment) -> None:
        """Workers need cores of their own; pinned memory needs CUDA."""
        if self.workers >= 1 and len(environment.cores) < 2:
            raise NotApplicable("one core: a worker process would only take it away from training")
        if self.pin_memory and not environment.has_cuda:
            raise NotApplicable("pinned memory speeds up copies to a CUDA device, and there is none here")
        if self.persistent and not self.workers:
            raise NotApplicable("without workers there are none to keep")

    def apply(self, site: dict[str, Any]) -> None:
        """Change the arguments of one DataLoader."""
        from torch.utils.data import IterableDataset

        if isinstance(site["dataset"], IterableDataset):
            raise NotApplicable("an IterableDataset would be read once by each worker; its order is its own matter")
        from hotloop.data.fetching.fetch_paths import paths_of

        if "resident_data" in paths_of(site["dataset"]):
            raise NotApplicable("resident_data slices its batches on the device, where no worker could help")
        before = {name: site.get(name) for name in _CHANGED}
        if not self.workers:
            from hotloop.data.fetching.late_start import load_here

            load_here(site)
        elif self.workers != site.get("num_workers", 0) or self.prefetch != (site.get("prefetch_factor") or 2):
            self._load_in_workers(site)
        if self.workers and self.persistent and not site.get("persistent_workers"):
            from hotloop.data.fetching.kept_workers import kept_workers

            site["persistent_workers"] = kept_workers()
        if self.pin_memory:
            site["pin_memory"] = True
        if before == {name: site.get(name) for name in _CHANGED}:
            raise NotApplicable(f"the program's own loader is built so already, with {self.workers} workers")
        if self.workers:
            _note_workers()

    def _load_in_workers(self, site: dict[str, Any]) -> None:
        from hotloop.data.fetching.dataset_state import open_handles

        shared = open_handles(site["dataset"])
        if shared and self.workers > site.get("num_workers", 0):
            raise NotApplicable(
                f"the data set holds an open file or connection ({', '.join(shared)}), which forked workers would share"
            )
        from hotloop.data.fetching.late_start import late_workers

        workers = self.workers if site.get("num_workers", 0) else late_workers(self.workers)
        site.update(num_workers=workers, prefetch_factor=self.prefetch)

    def confirm(self) -> None:
        """An epoch must have begun with living workers, where workers were asked for."""
        if self.workers and not epochs_begun.had_workers:
            raise NotApplicable("no loader that was given workers has been iterated")


_CHANGED = ("num_workers", "prefetch_factor", "persistent_workers", "pin_memory")


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
