"""How the ranks of DistributedDataParallel exchange their gradients: in half precision, at low rank, or in trits."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Self

from hotloop.errors import NotApplicable
from hotloop.measurement import Environment
from hotloop.option import AtLeast
from hotloop.transform import DDPSite, Promise, Stage, TransformBase

_POWERSGD_FROM = 10  # steps before it compresses; torch's own default is 1000

Hook = Callable[[Any, Any], Any]


class CommHook(TransformBase):
    """Registers a communication hook where the program wraps its model.

    "bf16", "fp16" and "powersgd" (of `rank`) are torch's own. "ternary" sends trits with error feedback to few ranks,
    and refuses so many that float16 would send no more; "vsa" is a reference that loses more at every number of bytes.
    """

    kind: Literal["bf16", "fp16", "powersgd", "ternary", "vsa"] = "bf16"
    rank: Annotated[int, AtLeast(1)] | None = None

    name = "comm_hook"
    stage = Stage.DDP
    affects_phases = ("backward",)

    def __post_init__(self) -> None:
        """Raise ValueError for an option that is not allowed, and for a rank of what has none."""
        super().__post_init__()
        if self.rank is not None and self.kind != "powersgd":
            raise ValueError(f"rank: got {self.rank} for kind {self.kind!r}; it is that of powersgd alone")

    @property
    def roundoff(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        """One rounding of each gradient to half precision; what compresses further makes no such promise."""
        return {"bf16": 2.0**-9, "fp16": 2.0**-11}.get(self.kind, 2.0**-24)

    @property
    def promise(self) -> Promise:
        """CLOSE for half precision; all others train by other gradients."""
        return Promise.CLOSE if self.kind in ("bf16", "fp16") else Promise.STATISTICAL

    @property
    def short_name(self) -> str:
        """A few words for tables."""
        return f"{self.kind} hook" if self.rank is None else f"{self.kind} {self.rank} hook"

    @classmethod
    def candidates(cls, environment: Environment) -> tuple[Self, ...]:
        """Half precision first; what compresses further pays on slow links alone."""
        return tuple(cls(kind=kind) for kind in ("bf16", "fp16", "ternary", "powersgd", "vsa"))

    def check(self, environment: Environment) -> None:
        """torch's bf16 hook needs NCCL, and so a CUDA device."""
        if self.kind == "bf16" and not environment.has_cuda:
            raise NotApplicable(
                "torch allows its bf16 hook with NCCL alone, and there is no CUDA device here; try fp16"
            )

    def apply(self, site: DDPSite) -> None:
        """Have the hook registered. Raises NotApplicable where so many ranks have nothing to win by it."""
        if site.num_ranks < 2:
            raise NotApplicable("one rank has nothing to exchange: start the program on 2 ranks or more (--nproc 2)")
        if self.kind == "ternary":
            from hotloop.distributed.block_ternary_hook import check_world_size

            check_world_size(site.num_ranks)
        group = site.arguments.get("process_group")
        site.after.append(lambda ddp: self._register(ddp, group))

    def confirm(self) -> None:
        """The hook must have been called."""
        if not registered.num_calls:
            raise NotApplicable("no bucket of gradients has come to the hook")

    def figures(self) -> Mapping[str, float]:
        """How many times fewer bytes than plain gradients were sent, where the hook counts them."""
        hook = registered.hook
        sent = getattr(hook, "num_bytes_sent", 0)
        return {"bytes_ratio": hook.num_bytes_plain / sent} if sent else {}

    def _register(self, ddp: Any, group: Any) -> None:
        state, hook = self._made(group)
        registered.hook = hook

        def counted(state: Any, bucket: Any) -> Any:
            registered.num_calls += 1
            return hook(state, bucket)

        counted.__annotations__ = {}  # DDP refuses a hook whose annotations are not its own
        counted.__name__ = counted.__qualname__ = getattr(hook, "__name__", self.kind)
        ddp.register_comm_hook(state, counted)

    def _made(self, group: Any) -> tuple[Any, Any]:
        from torch.distributed.algorithms.ddp_comm_hooks import default_hooks, powerSGD_hook

        if self.kind == "bf16":
            return group, default_hooks.bf16_compress_hook
        if self.kind == "fp16":
            return group, default_hooks.fp16_compress_hook
        if self.kind == "powersgd":
            rank = self.rank or 1
            state = powerSGD_hook.PowerSGDState(
                group, matrix_approximation_rank=rank, start_powerSGD_iter=_POWERSGD_FROM
            )
            return state, powerSGD_hook.powerSGD_hook
        from hotloop.distributed.block_ternary_hook import BlockTernaryHook
        from hotloop.distributed.vsa_hook import VSAHook

        return None, BlockTernaryHook(group) if self.kind == "ternary" else VSAHook(group)


class _Registered:
    """The hook of this process, and how often it was called."""

    hook: Any = None
    num_calls = 0


registered = _Registered()
