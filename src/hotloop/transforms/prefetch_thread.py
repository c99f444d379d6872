"""Loaders without workers whose next batches are fetched by a thread while the program trains."""

from typing import Annotated, Any, Literal, Self

from hotloop.errors import NotApplicable
from hotloop.measurement import Environment
from hotloop.option import AtLeast
from hotloop.transform import Stage, TransformBase


class PrefetchThread(TransformBase):
    """Fetches and collates the next `batches` batches in a thread.

    With `copies = "pinned"` it pins them for CUDA; with "non_blocking" the program gets them on the device, and does
    not wait for their copies. The same samples in the same order, and errors where the program asks for the batch.
    Indices are drawn ahead only from samplers that disturb no random stream so. Refused where samples draw random
    numbers, where reading changes the data set or the program changes it within an epoch, and for open files and
    connections. The first batches are fetched without the thread and watched for that; some, and all while a plan is
    verified, are fetched both ways and compared.
    """

    batches: Annotated[int, AtLeast(1)] = 2
    copies: Literal["plain", "pinned", "non_blocking"] = "plain"

    name = "prefetch_thread"
    stage = Stage.DATA
    affects_phases = ("data_wait", "evaluation", "host_to_device")

    @property
    def short_name(self) -> str:
        """A few words for tables."""
        return f"prefetch {self.batches}" + ("" if self.copies == "plain" else f" {self.copies}")

    @classmethod
    def candidates(cls, environment: Environment) -> tuple[Self, ...]:
        """Two batches ahead; with a GPU pinned, and copied without waiting."""
        return (cls(copies="non_blocking"), cls(copies="pinned")) if environment.has_cuda else (cls(),)

    def check(self, environment: Environment) -> None:
        """A core for the thread, and a device for what is pinned."""
        if len(environment.cores) < 2:
            raise NotApplicable("one core: a thread would only take it away from training")
        if self.copies != "plain" and not environment.has_cuda:
            raise NotApplicable("pinned memory speeds up copies to a CUDA device, and there is none here")

    def apply(self, site: dict[str, Any]) -> None:
        """Have the batches of one DataLoader fetched by a thread."""
        from hotloop.data.fetching.early_indices import why_not_early
        from hotloop.data.fetching.fetch_paths import check_site
        from hotloop.data.fetching.late_start import EarlyHere
        from hotloop.data.fetching.thread_fetch import counts_of, why_not_in_a_thread, with_thread

        check_site(site)
        dataset, workers = site["dataset"], site.get("num_workers", 0)
        if workers or isinstance(workers, EarlyHere):
            raise NotApplicable("its workers fetch ahead already")
        sampler = site.get("sampler") if site.get("batch_sampler") is None else site["batch_sampler"]
        reason = why_not_early(sampler) if sampler is not None else None
        reason = reason or why_not_in_a_thread(dataset)
        if reason is not None:
            raise NotApplicable(reason)
        counts = counts_of(dataset)
        followed.setdefault(id(counts), counts)
        site["num_workers"] = with_thread(counts, batches=self.batches, non_blocking=self.copies == "non_blocking")
        if self.copies != "plain":
            site["pin_memory"] = True

    def confirm(self) -> None:
        """The thread must have fetched for one data set at least."""
        from hotloop.data.fetching.shared_counts import Count

        reasons = [counts.refused for counts in followed.values()]
        if reasons and all(reasons):
            raise NotApplicable(reasons[0])
        if not any(counts.total(Count.FETCHED) for counts in followed.values()):
            raise NotApplicable("no batch has been fetched by a thread: the first eight of a data set never are")

    def told(self) -> str:
        """How many batches the thread fetched, how many of them were compared, and what was refused."""
        from hotloop.data.fetching.shared_counts import Count

        fetched, compared = (
            sum(counts.total(count) for counts in followed.values()) for count in (Count.FETCHED, Count.COMPARED)
        )
        reasons = dict.fromkeys(counts.refused for counts in followed.values() if counts.refused)
        told = f"{fetched} batches fetched by a thread, {compared} of them compared"
        return "; ".join([told, *(f"left alone: {reason}" for reason in reasons)])


followed: dict[int, Any] = {}  # the counts of each data set of this process
