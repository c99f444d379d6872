"""torch.compile on the root modules, or on layers of them, in place."""

import functools
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, get_args

from hotloop.errors import NotApplicable
from hotloop.measurement import Environment
from hotloop.option import AtLeast
from hotloop.transform import Stage, TransformBase

if TYPE_CHECKING:
    from torch import nn


Mode = Literal["default", "reduce-overhead", "max-autotune"]
REPEATED = "repeated"
_NO_DOUBLE_BACKWARD = "does not currently support double backward"  # torch._functorch, RuntimeError


class Compile(TransformBase):
    """Compiles each root module in place, so that the keys of its state_dict stay as they are.

    Random numbers inside compiled code come from another stream. A first call that fails propagates: nothing falls
    back to eager. With `layers`, these are compiled in place of the whole: "repeated" is the block that repeats in the
    model, compiled once for all of its copies; else names, comma separated, each with a mode of its own where one is
    given: "blocks.*, policy_head:max-autotune". `memory_budget` is the share of the activations that the backward pass
    may find kept, from 0 (recompute what can be) to 1; it stands for the whole process. A model that changes while it
    trains, and says by a method `graph_key()` which graph it has now, has each of them compiled by itself, so that
    Dynamo's limit on variants holds for each alone.
    """

    mode: Mode = "default"
    dynamic: bool | None = None
    backend: str | None = None
    layers: str | None = None
    memory_budget: Annotated[float, AtLeast(0)] | None = None

    name = "compile"
    stage = Stage.MODULE
    affects_phases = ("forward", "backward", "evaluation")
    compiles = True
    roundoff = 2.0**-24

    def __post_init__(self) -> None:
        """Raise ValueError for an option that is not allowed."""
        super().__post_init__()
        self._modes()
        if self.memory_budget is not None and self.memory_budget > 1:
            raise ValueError(f"memory_budget: Input should be a share from 0 to 1, got {self.memory_budget}")

    @property
    def saves_memory(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether it recomputes activations."""
        return self.memory_budget is not None

    @property
    def short_name(self) -> str:
        """A few words for tables: what is not the default."""
        shapes = {None: None, True: "dynamic", False: "static"}[self.dynamic]
        mode = None if self.mode == "default" else self.mode
        part = {None: None, REPEATED: "blocks"}.get(self.layers, "layers")
        budget = None if self.memory_budget is None else f"{self.memory_budget:.0%} kept"
        return " ".join(filter(None, ["compile", part, mode, self.backend, shapes, budget]))

    @classmethod
    def candidates(cls, environment: Environment) -> tuple[Self, ...]:
        """The default first; then on CUDA CUDA graphs, repeated blocks alone, autotuning, and two memory budgets."""
        graphs = (cls(mode="reduce-overhead"),) if environment.has_cuda else ()
        budgets = (cls(memory_budget=0.5), cls(memory_budget=0.0))
        return (cls(), *graphs, cls(layers=REPEATED), cls(mode="max-autotune"), *budgets)

    def check(self, environment: Environment) -> None:
        """Inductor builds C++ on the CPU; CUDA graphs need CUDA."""
        if "reduce-overhead" in self._modes().values() and not environment.has_cuda:
            raise NotApplicable("reduce-overhead records CUDA graphs, and there is no CUDA device here")
        if not environment.compiler and not environment.has_cuda and self.backend is None:
            raise NotApplicable("inductor needs a C++ compiler on the CPU and none was found; install g++ or clang++")

    def apply(self, site: "nn.Module") -> None:
        """Compile one root, or layers of it; the work happens at their first call."""
        import torch
        from torch._dynamo.eval_frame import OptimizedModule
        from torch._functorch import config

        from hotloop.compile.each_architecture import EachArchitecture, tells_its_graph
        from hotloop.compile.root_call import call_compiled, is_compiled_by_program

        compiled = [m for m in site.modules() if isinstance(m, OptimizedModule) or is_compiled_by_program(m)]
        if compiled:
            raise NotApplicable(f"the program already compiles {type(compiled[0]).__name__}")
        if self.memory_budget is not None:
            config.activation_memory_budget = self.memory_budget  # read when a graph is compiled, at a first call
        if self.layers is not None:
            self._compile_layers(site)
            return
        # What site.compile() does, with a frame of ours around it: Dynamo skips frames of torch's own files, and
        # with them every model that is a plain nn.Sequential.
        call = _inlined(site._call_impl, budget=self.memory_budget)  # pyright: ignore[reportPrivateUsage]
        how = self._how(self.mode)
        call_compiled(site, EachArchitecture(site, call, how) if tells_its_graph(site) else torch.compile(call, **how))

    def confirm(self) -> None:
        """Dynamo must have compiled at least one graph."""
        from torch._dynamo.utils import counters

        if not counters["stats"]["unique_graphs"]:
            raise NotApplicable("nothing was compiled: no compiled module was called, or Dynamo skipped its frame")

    def limit(self, error: BaseException) -> str | None:
        """What is compiled has one derivative; a program that takes a second raises in its own backward pass."""
        if _NO_DOUBLE_BACKWARD not in str(error):
            return None
        return "torch.compile does not do gradients of gradients, which this program takes (create_graph=True)"

    def _compile_layers(self, site: "nn.Module") -> None:
        from hotloop.compile.blocks import compile_each, named_layers, repeated_blocks

        if self.layers == REPEATED:
            compile_each(repeated_blocks(site), self._how(self.mode))
            return
        found = {name: named_layers(site, name) for name in self._modes()}  # all are there, or none is compiled
        for name, mode in self._modes().items():
            compile_each(found[name], self._how(mode))

    def _how(self, mode: Mode) -> dict[str, Any]:
        how = {"mode": mode} if self.backend is None else {"backend": self.backend}
        return {**how, "dynamic": self.dynamic}

    def _modes(self) -> dict[str, Mode]:
        """The mode of each name in `layers`; that of all where there are none."""
        if self.layers is None:
            return {"": self.mode}
        found: dict[str, Mode] = {}
        for part in self.layers.split(","):
            name, _, given = (text.strip() for text in part.partition(":"))
            modes = [mode for mode in get_args(Mode) if mode == (given or self.mode)]
            if not name or not modes:
                raise ValueError(
                    f"layers: Input should be {REPEATED!r}, or names such as 'blocks.*' or 'head:max-autotune', comma "
                    f"separated, with a mode of {', '.join(get_args(Mode))}; got {self.layers!r}"
                )
            found[name] = modes[0]
        return found


def _inlined(call: Callable[..., Any], *, budget: float | None) -> Callable[..., Any]:
    def forward(*args: Any, **kwargs: Any) -> Any:
        return call(*args, **kwargs)

    if budget is not None:
        # Dynamo finds what it compiled for an equal model by the code object, and none of its guards knows the budget.
        forward.__code__ = _code_of(forward.__code__, budget)
    return forward


@functools.cache
def _code_of(code: types.CodeType, budget: float) -> types.CodeType:
    return code.replace(co_name=f"{code.co_name}_keeping_{100 * budget:.0f}_percent")
