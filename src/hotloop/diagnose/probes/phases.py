"""The phases of a step as they are timed, with hooks that cost a microsecond each and stay for the whole run."""

import contextlib
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import Optimizer, register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils.data import DataLoader, IterableDataset
from torch.utils.data.dataloader import _BaseDataLoaderIter  # pyright: ignore[reportPrivateUsage]

from hotloop.diagnose.call_sites import NOWHERE, Place
from hotloop.diagnose.module_hooks import around
from hotloop.diagnose.phase_times import STEP, UNSURE, Split, split
from hotloop.diagnose.timeline import Marks
from hotloop.diagnose.trace_context import Report, Scene, StepTime, bound
from hotloop.finding import Finding
from hotloop.workloads.patched import patched

_WORTH_TELLING = 0.02
# A batch that comes from a worker process costs the step about 2 ms itself: `with_workers` in
# benchmarks/results/amd-epyc-2-cores/diagnose/skorch_digits.json.
_WORTH_A_WORKER = 2e-3


class Phases:
    """What part of a step is at work, innermost first; takes marks while its window is open."""

    name = "phases"

    def __init__(self, scene: Scene) -> None:
        self.split = Split()
        self.loaders: list[tuple[Place, DataLoader[Any]]] = []
        self._scene = scene
        self._marks = Marks()
        self._stack = ["other"]
        self._is_open = False
        self._places: dict[str, Place] = {}

    @contextmanager
    def installed(self) -> Generator[None]:
        """torch with the hooks; must be entered before the hook that ends a step is registered."""
        with ExitStack() as stack:
            stack.callback(register_optimizer_step_pre_hook(self._before_update).remove)
            stack.callback(register_optimizer_step_post_hook(self._after_update).remove)
            stack.enter_context(self._around_fetching(_BaseDataLoaderIter, "__next__", "data_wait"))
            stack.enter_context(self._around_fetching(DataLoader, "__iter__", "loader_start"))
            for name in ("backward", "grad"):
                stack.enter_context(self._around(torch.autograd, name, "backward"))
            for owner in (torch, torch.serialization):
                stack.enter_context(self._around(owner, "save", "checkpointing"))
            yield

    def root(self, module: nn.Module) -> None:
        """Mark the calls of a root, from outside of what is compiled."""
        if isinstance(module, torch.jit.ScriptModule):
            return
        if (compiled := getattr(module, "_compiled_call_impl", None)) is not None:
            setattr(module, "_compiled_call_impl", _Timed(compiled, self, module))  # noqa: B010  # torch's own name
            return
        around(module, self.forward_begins, self.leave)

    def is_wanted(self) -> bool:
        """Always."""
        return True

    def open(self) -> None:
        """Take marks from now on."""
        self._marks.clear(on_cuda=self._scene.is_on_cuda)
        self._is_open = True
        self._stack = ["other"]
        self._marks.add(STEP)

    def step(self) -> None:
        """A step ended here; whatever was left open by an error ends with it."""
        self._stack = ["other"]
        self._marks.add(STEP)

    def close(self) -> None:
        """Take no more marks."""
        self._is_open = False
        self.split = split(self._marks.spans())

    def report(self, step: StepTime) -> Report:
        """Findings on the phases that a loader, an optimizer or an evaluation owns."""
        return Report(
            findings=[f for f in (self._waiting(), self._starting(), self._updating(), self._evaluating()) if f]
        )

    def enter(self, label: str) -> None:
        """`label` begins inside of what is at work."""
        self._stack.append(label)
        if self._is_open:
            self._marks.add(label)

    def leave(self) -> None:
        """What was at work before goes on."""
        if len(self._stack) > 1:
            self._stack.pop()
        if self._is_open:
            self._marks.add(self._stack[-1])

    @contextmanager
    def _around(self, owner: Any, name: str, label: str) -> Generator[None]:
        original: Callable[..., Any] = getattr(owner, name)
        scene = self._scene

        def call(*args: Any, **kwargs: Any) -> Any:
            if scene.is_forked:
                return original(*args, **kwargs)
            if label == "backward" and args:
                _tell(scene.before_backward, args[0])
                scene.backwards += 1
            self.enter(label)
            try:
                return original(*args, **kwargs)
            finally:
                self.leave()
                if label == "backward":
                    _tell(scene.after_backward)

        with patched(owner, name, _untraced(call, original)):
            yield

    @contextmanager
    def _around_fetching(self, owner: Any, name: str, label: str) -> Generator[None]:
        original: Callable[..., Any] = getattr(owner, name)
        scene = self._scene

        def call(source: Any) -> Any:
            if scene.is_forked:
                return original(source)
            self._note_loader(source)
            scene.fetching += 1
            self.enter(label)
            is_over = False
            try:
                result = original(source)
            except StopIteration:
                is_over = True
                raise
            finally:
                self.leave()
                scene.fetching -= 1
                _tell(scene.fetched, source, is_over)
            if name == "__next__":
                _tell(scene.yielded, source, result)
            return result

        with patched(owner, name, _untraced(call, original)):
            yield

    def _note_loader(self, loader: Any) -> None:
        """Where a loader is iterated over: once for each, since looking costs more than a mark."""
        if isinstance(loader, DataLoader) and not any(known is loader for _, known in self.loaders):
            self.loaders.append((self._scene.places.look().place, loader))

    def _before_update(self, optimizer: Optimizer, *_: Any) -> None:
        if id(optimizer) not in self._scene.optimizer_places:
            self._scene.optimizer_places[id(optimizer)] = self._scene.places.look().place
            self._scene.optimizers.append(optimizer)
        self.enter("optimizer")

    def _after_update(self, *_: Any) -> None:
        self.leave()

    def _waiting(self) -> Finding | None:
        share = self.split.shares.get("data_wait", 0.0)
        if share < _WORTH_TELLING or not self.loaders:
            return None
        place, loader = max(self.loaders, key=lambda item: _length(item[1]))
        seconds = self.split.step["data_wait"]
        can_change = loader.num_workers == 0 and not isinstance(loader.dataset, IterableDataset)
        return Finding(
            code="DA06",
            path=place.path,
            line=place.line,
            per_step=1.0,
            share=share,
            amdahl_limit=bound(share),
            transform="data_loading" if can_change and seconds >= _WORTH_A_WORKER else None,
            cure=_cure_of_waiting(loader.num_workers, seconds),
            message=f"each step waits {_ms(seconds)} for the next batch, {share:.0%} of it",
            evidence={"wait_ms": 1e3 * seconds, "workers": loader.num_workers},
        )

    def _starting(self) -> Finding | None:
        whole = sum(self.split.all.values())
        share = self.split.all.get("loader_start", 0.0) / whole if whole else 0.0
        found = next(((p, o) for p, o in self.loaders if o.num_workers and not o.persistent_workers), None)
        if share < _WORTH_TELLING or found is None:
            return None
        return Finding(
            code="DA07",
            path=found[0].path,
            line=found[0].line,
            share=share,
            amdahl_limit=bound(share),
            cure="persistent_workers=True keeps the workers, and what they cached, from one epoch to the next",
            message=f"starting {found[1].num_workers} workers anew each epoch takes {share:.0%} of the time",
        )

    def _updating(self) -> Finding | None:
        share = self.split.shares.get("optimizer", 0.0)
        if share < _WORTH_TELLING or not self._scene.optimizers:
            return None
        optimizer = self._scene.optimizers[0]
        place = self._scene.optimizer_places.get(id(optimizer), NOWHERE)
        kind = type(optimizer).__name__
        flags = optimizer.defaults
        can_fuse = "fused" in flags and not flags.get("fused")
        return Finding(
            code="OP02",
            path=place[0],
            line=place[1],
            per_step=1.0,
            share=share,
            amdahl_limit=bound(share),
            transform="fused_optimizer" if can_fuse else None,
            cure=f"build {kind} with fused=True" if can_fuse else f"this {kind} has no faster form; step less often",
            message=f"{kind}.step takes {_ms(self.split.step['optimizer'])}, {share:.0%} of a step",
            evidence={"update_ms": 1e3 * self.split.step["optimizer"], "optimizer": kind},
        )

    def _evaluating(self) -> Finding | None:
        whole = sum(self.split.all.values())
        share = self.split.with_gradients / whole if whole else 0.0
        place = self._places.get(UNSURE)
        if share < _WORTH_TELLING or place is None:
            return None
        return Finding(
            code="ME04",
            path=place.path,
            line=place.line,
            share=share,
            amdahl_limit=bound(share),
            cure="evaluate under torch.inference_mode(), and go back to train() after it",
            message=f"evaluation keeps a graph that no backward uses; its forward passes take {share:.0%} of the time",
        )

    def forward_begins(self, module: nn.Module) -> None:
        """A root is called: to train, to evaluate, or one cannot tell yet."""
        self._scene.uses += 1
        if not torch.is_grad_enabled():
            self.enter("evaluation")
        elif module.training:
            self.enter("forward")
        else:
            if self._is_open and UNSURE not in self._places:
                self._places[UNSURE] = self._scene.places.look().place
            self.enter(UNSURE)


class _Timed:
    """Stands where nn.Module keeps the compiled form of its call, which no copy carries along anyway."""

    def __init__(self, compiled: Callable[..., Any], phases: Phases, module: nn.Module) -> None:
        self._compiled, self._phases, self._module = compiled, phases, module

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._phases.forward_begins(self._module)
        try:
            return self._compiled(*args, **kwargs)
        finally:
            self._phases.leave()


def _untraced(call: Callable[..., Any], original: Callable[..., Any]) -> Callable[..., Any]:
    call._torchdynamo_disable = True  # pyright: ignore[reportFunctionMemberAccess]
    call.__doc__ = original.__doc__
    return call


def _tell(listeners: list[Callable[..., None]], *what: Any) -> None:
    for listener in listeners:
        listener(*what)


def _cure_of_waiting(workers: int, seconds: float) -> str:
    if workers:
        return f"the {workers} workers do not keep up: use more, or do less for each sample"
    if seconds >= _WORTH_A_WORKER:
        return "load in worker processes (num_workers), or do less for each sample"
    return "index whole batches of tensors in memory, not item by item; a worker process would cost more than it saves"


def _length(loader: DataLoader[Any]) -> int:
    with contextlib.suppress(TypeError):
        return len(loader)
    return 0


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.3g} ms"
