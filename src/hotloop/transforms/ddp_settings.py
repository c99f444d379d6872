"""How DistributedDataParallel is set up: views, buckets, and what it need not look for."""

from typing import TYPE_CHECKING, Annotated, Any, Self

from hotloop.errors import NotApplicable
from hotloop.measurement import Environment
from hotloop.option import AtLeast
from hotloop.transform import DDPSite, Stage, TransformBase

if TYPE_CHECKING:
    from hotloop.distributed.seen_graph import SeenGraph


class DDPSettings(TransformBase):
    """Changes the arguments of the program's own DistributedDataParallel; the mean gradient stays what it was.

    `static_graph` holds only where the graph was the same in the first ten steps, `ignore_unused` (find_unused off)
    only where no parameter was unused in them. Buckets of `bucket_mb` megabytes add the ranks' gradients in another
    order.
    """

    bucket_view: bool = True
    static_graph: bool = False
    ignore_unused: bool = False
    bucket_mb: Annotated[float, AtLeast(0.001)] | None = None

    name = "ddp_settings"
    stage = Stage.DDP
    affects_phases = ("forward", "backward")
    roundoff = 2.0**-24

    @property
    def short_name(self) -> str:
        """A few words for tables."""
        flags = {
            "view": self.bucket_view,
            "static": self.static_graph,
            "all used": self.ignore_unused,
        }
        set_ = [name for name, is_set in flags.items() if is_set]
        return " ".join(["ddp", *set_, *([] if self.bucket_mb is None else [f"{self.bucket_mb:g} MB"])])

    @classmethod
    def candidates(cls, environment: Environment) -> tuple[Self, ...]:
        """Views of the buckets; with a graph that does not change; and what DDP does for safety, left out."""
        return cls(), cls(static_graph=True), cls(ignore_unused=True), cls(bucket_mb=100.0)

    def apply(self, site: DDPSite) -> None:
        """Change the arguments of one wrap. Raises NotApplicable where nothing of it is left to change."""
        changes = {
            name: value for name, value in self._wanted(site.arguments).items() if site.arguments.get(name) != value
        }
        if not changes:
            raise NotApplicable("the program wraps its model with all of these settings itself")
        site.arguments.update(changes)
        if {"static_graph", "find_unused_parameters"} & changes.keys():
            from hotloop.distributed.seen_graph import SeenGraph

            site.after.append(lambda ddp: seen.graphs.append(SeenGraph(ddp.module)))
        seen.num_wrapped += 1

    def confirm(self) -> None:
        """Raise NotApplicable where what was seen of the graph forbids a setting."""
        if not seen.num_wrapped:
            raise NotApplicable("no model was wrapped")
        for graph in seen.graphs:
            if not graph.num_passes:
                raise NotApplicable("no forward pass of the wrapped model was seen, so its graph is not known")
            if self.static_graph and graph.kinds > 1:
                raise NotApplicable(f"its graph changes: {graph.kinds} different ones in {graph.num_passes} steps")
            if self.ignore_unused and not self.static_graph and graph.unused:  # a static one is learnt with its gaps
                raise NotApplicable(f"{_some(graph.unused)} had no part in a step, which DDP must be told to look for")

    def _wanted(self, given: dict[str, Any]) -> dict[str, Any]:
        wanted: dict[str, Any] = {"gradient_as_bucket_view": True} if self.bucket_view else {}
        wanted |= {"static_graph": True} if self.static_graph else {}
        wanted |= (
            {"find_unused_parameters": False} if self.ignore_unused and given.get("find_unused_parameters") else {}
        )
        return wanted | ({} if self.bucket_mb is None else {"bucket_cap_mb": self.bucket_mb})


class _Seen:
    """What was seen of the wrapped models of this process."""

    num_wrapped = 0
    graphs: "list[SeenGraph]" = []  # noqa: RUF012  # of the process, as the class is


seen = _Seen()


def _some(names: Any) -> str:
    first, *rest = sorted(names)
    return f"{first} and {len(rest)} more" if rest else first
