"""Losses compiled once for each architecture of a model that changes, each under a code object of its own.

Dynamo's recompile limit counts variants of one code object: a model that takes on a ninth shape under it runs eagerly
for ever. Here each architecture has its own copy of the code object, so the limit holds for each of them alone.
"""

import types
import warnings
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal, get_args

import torch
from torch import nn

from hotloop.workload import Loss, Strategy

CompileBackend = Literal["inductor", "aot_eager", "eager"]
MODES = ("default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")


@dataclass(frozen=True, kw_only=True)
class CompileReport:
    """What compiling came to: architectures met, graphs compiled for them, calls that ran eagerly, and why."""

    architectures: int
    graphs: int
    most_graphs: int
    calls: int
    eager_calls: int
    failures: dict[str, str]


def architecture_key(model: nn.Module) -> Hashable:
    """What decides the graph of a model: class, names, shapes, dtypes and device types of its tensors, gradient mode.

    Train and eval mode are left to the guards. A model whose graph depends on more says so by a method `graph_key()`.
    """
    tensors = chain(model.named_parameters(), model.named_buffers())
    shapes = tuple((name, tuple(value.shape), value.dtype, value.device.type) for name, value in tensors)
    more: Callable[[], Hashable] | None = getattr(model, "graph_key", None)
    kind = type(model)
    return f"{kind.__module__}.{kind.__qualname__}", shapes, torch.is_grad_enabled(), None if more is None else more()


class ArchitectureCompiler:
    """Compiles the loss of `strategy` for each architecture that it meets, and falls back by architecture, in words.

    A backend that fails, and the recompile limit within one architecture, make one warning each, a call of `on_failure`
    with the architecture and the reason, and eager calls, which are counted; errors of the model itself and running out
    of memory are raised as they are. `retry` forgets the failures. `dynamic` is torch.compile's.
    Raises ValueError for an unknown backend or mode, and for a mode with another backend than inductor.
    """

    def __init__(
        self,
        strategy: Strategy,
        *,
        backend: CompileBackend | Callable[..., Any] = "inductor",
        mode: str | None = None,
        dynamic: bool | None = None,
        on_failure: Callable[[str, str], None] | None = None,
    ) -> None:
        if isinstance(backend, str) and backend not in get_args(CompileBackend):
            raise ValueError(
                f"got the backend {backend!r}; allowed are {', '.join(get_args(CompileBackend))}: choose one"
            )
        if mode is not None and (mode not in MODES or backend != "inductor"):
            raise ValueError(
                f"got mode {mode!r} with backend {backend!r}; allowed are {', '.join(MODES)} with inductor"
            )
        self._strategy, self._on_failure = strategy, on_failure
        self._options: dict[str, Any] = {"backend": backend, "dynamic": dynamic, "mode": mode}
        self._compiled: dict[Hashable, CompiledLoss] = {}

    def of(self, model: nn.Module) -> "CompiledLoss":
        """The loss for the architecture that `model` has now, under the gradient mode of now. A few dict look-ups.

        Ask again after each change of the architecture.
        """
        key = architecture_key(model)
        found = self._compiled.get(key)
        if found is None:
            title = f"{type(model).__name__} {len(self._compiled) + 1}"
            found = CompiledLoss(self._strategy, title, self._options, self._failed)
            self._compiled[key] = found
        return found

    def tell(self, on_failure: Callable[[str, str], None]) -> None:
        """Call this from now on for each failure, in place of what was called before."""
        self._on_failure = on_failure

    def retry(self) -> None:
        """Try again to compile what failed before."""
        for compiled in self._compiled.values():
            compiled.failure = None

    def _failed(self, title: str, reason: str) -> None:
        if self._on_failure is not None:
            self._on_failure(title, reason)

    def report(self) -> CompileReport:
        """What came of it so far."""
        all_of_them = list(self._compiled.values())
        graphs = [compiled.graphs for compiled in all_of_them]
        return CompileReport(
            architectures=len(all_of_them),
            graphs=sum(graphs),
            most_graphs=max(graphs, default=0),
            calls=sum(compiled.calls for compiled in all_of_them),
            eager_calls=sum(compiled.eager_calls for compiled in all_of_them),
            failures={each.title: each.failure for each in all_of_them if each.failure is not None},
        )


class CompiledLoss:
    """A Strategy whose loss is compiled, for models of one architecture."""

    def __init__(
        self,
        strategy: Strategy,
        title: str,
        options: dict[str, Any],
        on_failure: Callable[[str, str], None],
    ) -> None:
        self.title = title
        self.failure: str | None = None
        self.calls = self.graphs = self.eager_calls = 0
        self._strategy, self._on_failure = strategy, on_failure
        self._hit_limit = False
        self._function = torch.compile(own_code(_loss_of, title), **options)

    def loss(self, model: nn.Module, batch: Any) -> Loss:
        """The loss of one batch; compiled at the first call, and where a guard fails."""
        self.calls += 1
        if self.failure is not None and not self._hit_limit:
            return self._eagerly(model, batch)
        from torch._dynamo import config, exc  # imports Dynamo, which costs a second, only where it compiles
        from torch._dynamo.utils import counters

        before = counters["stats"]["unique_graphs"]
        try:
            if self.graphs < config.recompile_limit:
                return self._function(self._strategy, model, batch)
            with config.patch(fail_on_recompile_limit_hit=True):  # torch's own answer is to run eagerly from then on
                return self._function(self._strategy, model, batch)
        except exc.FailOnRecompileLimitHit:
            self._hit_limit = True
            self._fail(f"the recompile limit of {config.recompile_limit} variants was hit")
        except (exc.BackendCompilerFailed, exc.InternalTorchDynamoError) as error:
            inner = getattr(error, "inner_exception", None) or error
            if isinstance(inner, torch.OutOfMemoryError):
                raise
            self._fail(f"{type(inner).__name__}: {str(inner).splitlines()[0] if str(inner) else ''}")
        finally:
            self.graphs += counters["stats"]["unique_graphs"] - before
        return self._eagerly(model, batch)

    def _eagerly(self, model: nn.Module, batch: Any) -> Loss:
        self.eager_calls += 1
        return self._strategy.loss(model, batch)

    def _fail(self, reason: str) -> None:
        if self.failure is not None:
            return
        self.failure = reason
        warnings.warn(
            f"the loss of {self.title} could not be compiled ({reason}); it runs eagerly, which computes the same: "
            "install a C++ compiler, keep shapes the same between steps, or leave compile off",
            RuntimeWarning,
            stacklevel=3,
        )
        self._on_failure(self.title, reason)


def _loss_of(strategy: Strategy, model: nn.Module, batch: Any) -> Loss:
    return strategy.loss(model, batch)


def own_code(function: Callable[..., Any], title: str) -> Callable[..., Any]:
    """The same function with a code object of its own, named by `title`: Dynamo keeps its code by code object."""
    assert isinstance(function, types.FunctionType)
    code = function.__code__.replace(co_name=f"{function.__name__}_{title.replace(' ', '_')}")
    return types.FunctionType(code, function.__globals__, code.co_name, function.__defaults__, function.__closure__)
