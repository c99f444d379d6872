"""How DataLoaders fetch: worker processes, prefetching, pinned memory."""

from typing import Annotated, Any, ClassVar, Self

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from hotloop.errors import NotApplicable
from hotloop.measurement import Environment
from hotloop.transform import Promise, Stage


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class DataLoading:
    """Builds the program's own DataLoaders with persistent workers, and pinned memory for CUDA.

    Samples come in the same order, in every epoch; random numbers drawn inside the dataset come from the workers'
    streams.
    """

    workers: Annotated[int, Field(ge=0)] = 2
    prefetch: Annotated[int, Field(ge=1)] = 2
    pin_memory: bool = False

    name: ClassVar[str] = "data_loading"
    stage: ClassVar[Stage] = Stage.DATA
    affects_phases: ClassVar[tuple[str, ...]] = ("data_wait", "loader_start", "evaluation", "host_to_device")
    promise: ClassVar[Promise] = Promise.EXACT
    roundoff: ClassVar[float] = 0.0

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
            raise NotApplicable("an IterableDataset would be read once by each worker; its order is its own affair")
        if site.get("num_workers", 0) > 0:
            raise NotApplicable(f"the program already uses {site['num_workers']} loader workers")
        if self.workers:
            site.update(num_workers=self.workers, persistent_workers=True, prefetch_factor=_Prefetch(self.prefetch))
            _keep_stream()
        if self.pin_memory:
            site["pin_memory"] = True

    def confirm(self) -> None:
        """The loader raises where it cannot obey."""


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
