"""A data set of tensors that is kept on the device, where its batches are sliced."""

from typing import Any, Literal, Self

from hotloop.errors import NotApplicable
from hotloop.measurement import Environment
from hotloop.transform import Stage, TransformBase

_MIB = 2**20


class ResidentData(TransformBase):
    """Keeps the columns of a data set that only indexes them on the device, and slices each batch there.

    The same samples in the same order; batches are on the device when the program gets them, so that its own
    `.to(device)` returns them as they are. Workers and pinned memory, which then have nothing to do, are left out.
    Refused where the columns take more than four fifths of the memory that is free there, and where they change. The
    first batches, the first of each epoch, one of 256 later ones, and all while a plan is verified are stacked on the
    host as well and compared byte by byte.
    """

    device: Literal["cuda", "cpu"] = "cuda"

    name = "resident_data"
    stage = Stage.DATA
    affects_phases = ("data_wait", "loader_start", "evaluation", "host_to_device")

    @property
    def short_name(self) -> str:
        """A few words for tables."""
        return "resident data" if self.device == "cuda" else f"resident data {self.device}"

    @classmethod
    def candidates(cls, environment: Environment) -> tuple[Self, ...]:
        """Where there is a GPU; the memory of the host is where data sets are anyway, for `batched_fetch`."""
        return (cls(),) if environment.has_cuda else ()

    def check(self, environment: Environment) -> None:
        """A device to keep data on."""
        if self.device == "cuda" and not environment.has_cuda:
            raise NotApplicable("there is no CUDA device here to keep data on; batched_fetch gathers in memory")

    def apply(self, site: dict[str, Any]) -> None:
        """Have the batches of one DataLoader sliced on the device."""
        from hotloop.data.fetching.batched_path import check_batches
        from hotloop.data.fetching.fetch_paths import fetch_otherwise
        from hotloop.data.fetching.late_start import load_here
        from hotloop.data.fetching.resident_path import ResidentPath

        check_batches(site)
        dataset = site["dataset"]
        path = fetch_otherwise(self.name, dataset, lambda: ResidentPath(dataset, self.device))
        followed.setdefault(id(path), path)
        load_here(site)
        site["pin_memory"] = False

    def confirm(self) -> None:
        """A batch must have been sliced, and none may have differed from the plain one."""
        from hotloop.data.fetching.shared_counts import Count

        reason = next(filter(None, (path.counts.refused for path in followed.values())), None)
        if reason is not None:
            raise NotApplicable(reason)
        if not any(path.counts.total(Count.FETCHED) for path in followed.values()):
            raise NotApplicable("no batch of a loader that it acts on has been sliced on the device")

    def told(self) -> str:
        """How many batches were sliced, how many of them were compared, and the bytes on the device."""
        from hotloop.data.fetching.shared_counts import Count

        sliced, compared = (
            sum(path.counts.total(count) for path in followed.values()) for count in (Count.FETCHED, Count.COMPARED)
        )
        held = sum(path.num_bytes for path in followed.values()) / _MIB
        return f"{sliced} batches sliced on the device, {compared} of them compared, {held:.1f} MiB kept there"


followed: dict[int, Any] = {}  # the way of each data set of this process
