"""torch.compile on the root modules, in place."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, Self

from hotloop.errors import NotApplicable
from hotloop.measurement import Environment
from hotloop.transform import Stage, TransformBase

if TYPE_CHECKING:
    from torch import nn


class Compile(TransformBase):
    """Compiles each root module in place, so that the keys of its state_dict stay as they are.

    Random numbers inside compiled code come from another stream. A first call that fails propagates: nothing falls
    back to eager.
    """

    mode: Literal["default", "reduce-overhead", "max-autotune"] = "default"
    dynamic: bool | None = None
    backend: str | None = None

    name = "compile"
    stage = Stage.MODULE
    affects_phases = ("forward", "backward", "evaluation")
    compiles = True
    roundoff = 2.0**-24

    @property
    def short_name(self) -> str:
        """A few words for tables: what is not the default."""
        shapes = {None: None, True: "dynamic", False: "static"}[self.dynamic]
        mode = None if self.mode == "default" else self.mode
        return " ".join(filter(None, ["compile", mode, self.backend, shapes]))

    @classmethod
    def candidates(cls, environment: Environment) -> tuple[Self, ...]:
        """The default first; then autotuning, and on CUDA CUDA graphs."""
        graphs = (cls(mode="reduce-overhead"),) if environment.has_cuda else ()
        return (cls(), *graphs, cls(mode="max-autotune"))

    def check(self, environment: Environment) -> None:
        """Inductor builds C++ on the CPU; CUDA graphs need CUDA."""
        if self.mode == "reduce-overhead" and not environment.has_cuda:
            raise NotApplicable("reduce-overhead records CUDA graphs, and there is no CUDA device here")
        if not environment.compiler and not environment.has_cuda and self.backend is None:
            raise NotApplicable("inductor needs a C++ compiler on the CPU and none was found; install g++ or clang++")

    def apply(self, site: "nn.Module") -> None:
        """Compile one root; the work happens at its first call."""
        import torch
        from torch._dynamo.eval_frame import OptimizedModule

        from hotloop.compile.root_call import call_compiled, is_compiled_by_program

        compiled = [m for m in site.modules() if isinstance(m, OptimizedModule) or is_compiled_by_program(m)]
        if compiled:
            raise NotApplicable(f"the program already compiles {type(compiled[0]).__name__}")
        how = {"mode": self.mode} if self.backend is None else {"backend": self.backend}
        # What site.compile() does, with a frame of ours around it: Dynamo skips frames of torch's own files, and
        # with them every model that is a plain nn.Sequential.
        call_compiled(site, torch.compile(_inlined(site._call_impl), dynamic=self.dynamic, **how))  # pyright: ignore[reportPrivateUsage, reportCallIssue, reportArgumentType]

    def confirm(self) -> None:
        """Dynamo must have compiled at least one graph."""
        from torch._dynamo.utils import counters

        if not counters["stats"]["unique_graphs"]:
            raise NotApplicable("nothing was compiled: no compiled module was called, or Dynamo skipped its frame")


def _inlined(call: Callable[..., Any]) -> Callable[..., Any]:
    def forward(*args: Any, **kwargs: Any) -> Any:
        return call(*args, **kwargs)

    return forward
