"""Hooks that know which phase of a step is at work; they cost a microsecond each and stay for the whole run."""

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import Optimizer, register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _BaseDataLoaderIter  # pyright: ignore[reportPrivateUsage]

from hotloop.diagnose.call_sites import NOWHERE
from hotloop.diagnose.module_hooks import hook_calls
from hotloop.diagnose.phase_times import STEP, UNSURE
from hotloop.diagnose.timeline import Timeline
from hotloop.diagnose.trace_context import TraceContext
from hotloop.workloads.patched import patched


class PhaseHooks:
    """Marks on a timeline which phase is at work, innermost first, while it records; always keeps the context current.

    `unsure_line` is the first line seen to call a root in evaluation mode with gradients.
    """

    def __init__(self, context: TraceContext) -> None:
        self.unsure_line = NOWHERE
        self._context = context
        self._timeline = Timeline()
        self._phases = ["other"]
        self._is_recording = False

    @contextmanager
    def installed(self) -> Generator[None]:
        """torch with the hooks; must be entered before the hook that ends a step is registered."""
        with ExitStack() as stack:
            stack.callback(register_optimizer_step_pre_hook(self._before_update).remove)
            stack.callback(register_optimizer_step_post_hook(self._after_update).remove)
            stack.enter_context(self._around_fetching(_BaseDataLoaderIter, "__next__", "data_wait"))
            stack.enter_context(self._around_fetching(DataLoader, "__iter__", "loader_start"))
            for name in ("backward", "grad"):
                stack.enter_context(self._around_backward(name))
            for owner in (torch, torch.serialization):
                save = self._around(owner.save, lambda: self._enter("checkpointing"))
                stack.enter_context(_patched_unseen(owner, "save", save))
            yield

    def follow(self, root: nn.Module) -> None:
        """Mark the calls of a root, from outside of what is compiled."""
        if isinstance(root, torch.jit.ScriptModule):
            return
        if (compiled := getattr(root, "_compiled_call_impl", None)) is not None:
            # Where nn.Module keeps the compiled form of its call, which no copy carries along.
            call = self._around(compiled, lambda: self._forward_begins(root))
            setattr(root, "_compiled_call_impl", call)  # noqa: B010  # torch's own name
            return
        hook_calls(root, self._forward_begins, self._leave)

    @contextmanager
    def recording(self) -> Generator[None]:
        """Take marks, from the end of one step to that of another."""
        self._timeline.restart(on_cuda=self._context.is_on_cuda)
        self._is_recording = True
        self.step()
        yield
        self._is_recording = False

    def step(self) -> None:
        """A step ended here; whatever was left open by an error ends with it."""
        self._phases = ["other"]
        self._timeline.mark(STEP)

    def spans(self) -> list[tuple[str, float]]:
        """What was recorded."""
        return self._timeline.spans()

    def _enter(self, phase: str) -> None:
        self._phases.append(phase)
        if self._is_recording:
            self._timeline.mark(phase)

    def _leave(self) -> None:
        if len(self._phases) > 1:
            self._phases.pop()
        if self._is_recording:
            self._timeline.mark(self._phases[-1])

    def _around(self, original: Callable[..., Any], begin: Callable[[], None]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if self._context.is_forked:
                return original(*args, **kwargs)
            begin()
            try:
                return original(*args, **kwargs)
            finally:
                self._leave()

        return call

    def _around_backward(self, name: str) -> AbstractContextManager[None]:
        original = getattr(torch.autograd, name)
        context = self._context

        def backward(*args: Any, **kwargs: Any) -> Any:
            if context.is_forked:
                return original(*args, **kwargs)
            if args:
                _call(context.before_backward, args[0])
                context.num_backwards += 1
            self._enter("backward")
            try:
                return original(*args, **kwargs)
            finally:
                self._leave()
                _call(context.after_backward)

        return _patched_unseen(torch.autograd, name, backward)

    def _around_fetching(self, owner: Any, name: str, phase: str) -> AbstractContextManager[None]:
        original = getattr(owner, name)
        context = self._context

        def fetch(source: Any) -> Any:
            if context.is_forked:
                return original(source)
            # Once for each loader, since finding a call site costs more than a mark.
            if isinstance(source, DataLoader) and not any(known is source for _, known in context.loaders):
                context.loaders.append((context.call_sites.current().source, source))
            context.fetch_depth += 1
            self._enter(phase)
            is_exhausted = False
            try:
                result = original(source)
            except StopIteration:
                is_exhausted = True
                raise
            finally:
                self._leave()
                context.fetch_depth -= 1
                _call(context.on_fetch, source, is_exhausted)
            if name == "__next__":
                _call(context.on_batch, source, result)
            return result

        return _patched_unseen(owner, name, fetch)

    def _before_update(self, optimizer: Optimizer, *_: Any) -> None:
        if id(optimizer) not in self._context.optimizer_lines:
            self._context.optimizer_lines[id(optimizer)] = self._context.call_sites.current().source
            self._context.optimizers.append(optimizer)
        self._enter("optimizer")

    def _after_update(self, *_: Any) -> None:
        self._leave()

    def _forward_begins(self, module: nn.Module) -> None:
        """A root is called: to train, to evaluate, or one cannot tell yet."""
        self._context.num_root_calls += 1
        if not torch.is_grad_enabled():
            self._enter("evaluation")
        elif module.training:
            self._enter("forward")
        else:
            if self._is_recording and self.unsure_line is NOWHERE:
                self.unsure_line = self._context.call_sites.current().source
            self._enter(UNSURE)


def _patched_unseen(owner: Any, name: str, replacement: Any) -> AbstractContextManager[None]:
    """A patch that Dynamo does not trace and help() does not show."""
    replacement._torchdynamo_disable = True
    replacement.__doc__ = getattr(owner, name).__doc__
    return patched(owner, name, replacement)


def _call(callbacks: Sequence[Callable[..., None]], *what: Any) -> None:
    for callback in callbacks:
        callback(*what)
