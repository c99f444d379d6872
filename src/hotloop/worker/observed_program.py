"""What is followed of a watched program, put together: optimizers, buffers, settings, order and events."""

from collections.abc import Mapping
from typing import Any

from torch import nn
from torch.optim.optimizer import Optimizer

from hotloop.worker.noise import StartingNoise
from hotloop.worker.observed_buffers import ObservedBuffers
from hotloop.worker.observed_clipping import ObservedClipping
from hotloop.worker.observed_errors import Fail, contained
from hotloop.worker.observed_events import ObservedEvents
from hotloop.worker.observed_optimizers import ObservedOptimizers, hook_steps, notice_built, tensors_of
from hotloop.worker.observed_order import ObservedOrder
from hotloop.worker.observed_saves import ObservedSaves
from hotloop.worker.observed_settings import SettingsLog, module_settings
from hotloop.worker.spec import ObservationSpec


class ObservedProgram:
    """All that is recorded of one process, from before its program starts.

    Where a plan captures whole steps no hook may be set: then `steps_are_hooked` is False, and only the end of each
    step is seen. `fail` is told of an error of hotloop's own, and ends the process.
    """

    def __init__(self, spec: ObservationSpec, *, steps_are_hooked: bool, clippings_are_seen: bool, fail: Fail) -> None:
        self.steps = 0
        self._fail = fail
        self._steps_are_hooked, self._clippings_are_seen = steps_are_hooked, clippings_are_seen
        self._noise = StartingNoise(spec.noise, spec.noise_seed)
        self._roots: list[nn.Module] = []
        self._names: dict[int, str] = {}
        self._settings = SettingsLog()
        self._module_settings = SettingsLog()
        dense = spec.steps if spec.dense is None else spec.dense
        sketched = _spread(dense) | _spread(spec.steps)
        self._buffers = ObservedBuffers(is_due := lambda step: step <= dense or step in sketched)
        self._order = ObservedOrder()
        self._clipping = ObservedClipping(step=lambda: self.steps)
        self._events = ObservedEvents(step=lambda: self.steps)
        self._saves = ObservedSaves(step=lambda: self.steps)
        self._optimizers = ObservedOptimizers(
            sketched,
            self._settings,
            is_due=is_due,
            name_of=lambda tensor: self._names.get(id(tensor)),
            before_any_step=self._before_any_step,
        )

    def follow(self) -> None:
        """Start, for the rest of this process."""
        notice_built(contained(self._optimizer_built, self._fail))
        if self._steps_are_hooked:
            hook_steps(self._optimizers, self._fail)
        self._order.follow_loaders()
        self._events.follow()
        self._saves.follow(self._fail)
        if self._clippings_are_seen:
            self._clipping.follow(self._fail)

    def root(self, module: nn.Module) -> None:
        """A root is about to be called for the first time."""
        self._roots.append(module)
        self._name_tensors()

    def before_call(self, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, trains: bool) -> None:
        """A root is about to be called; `trains` where what it computes may be differentiated."""
        self._events.root_called(module)
        if trains:
            self._order.called(args, kwargs)
        self._noise.put_on(self._optimizers.tensors())
        if not self.steps:
            if not self._steps_are_hooked:
                self._optimizers.keep_values()
            self._buffers.begin([root for root in self._roots if not _is_lazy(root)], self._updated())

    def step(self, optimizer: Optimizer) -> None:
        """The leading optimizer has made a step."""
        self.steps += 1
        if not self._steps_are_hooked:
            self._optimizers.after(optimizer, has_begun=False)
        self._name_tensors()
        self._buffers.advance(self._roots, self._updated())
        self._module_settings.add(self.steps, module_settings(self._roots))
        self._order.advance()

    def end(self) -> None:
        """The program has come to its own end."""
        states: dict[str, Any] = {f"model {index}": root.state_dict() for index, root in enumerate(self._roots)}
        states.update((title, optimizer.state_dict()) for title, optimizer in self._optimizers.living())
        self._saves.keep_final(states)

    def to_data(self) -> dict[str, Any]:
        """What was seen."""
        return {
            "optimizers": self._optimizers.to_data(),
            "settings": [*self._settings.to_data(), *self._module_settings.to_data()],
            "events": dict(self._events.counts),
            "saves": self._saves.to_data(),
            "clippings": self._clipping.to_data() if self._clippings_are_seen else None,
            **self._buffers.to_data(),
            **self._order.to_data(),
        }

    def _optimizer_built(self, optimizer: Optimizer) -> None:
        self._optimizers.built.add(optimizer)
        self._noise.put_on(self._optimizers.tensors())
        if not (self._steps_are_hooked or self.steps):
            self._optimizers.keep_values()

    def _before_any_step(self, optimizer: Optimizer) -> None:
        self._optimizers.built.add(optimizer)
        if self._steps_are_hooked:
            self._noise.start_training(tensors_of(optimizer))
        for root in self._roots:
            self._saves.start((*root.named_parameters(), *root.named_buffers()))

    def _updated(self) -> set[int]:
        return {id(tensor) for tensor in self._optimizers.tensors()}

    def _name_tensors(self) -> None:
        names: dict[int, str] = {}
        for index, root in enumerate(self._roots):
            for name, parameter in root.named_parameters():
                names.setdefault(id(parameter), f"{index}.{name}")
        self._names |= names  # an id may have been that of a tensor that is gone


def _spread(steps: int) -> frozenset[int]:
    """The steps that are compared element by element: the first two, and four spread over the rest."""
    return frozenset({1, 2, *(max(1, round(steps * share)) for share in (0.25, 0.5, 0.75, 1.0))})


def _is_lazy(root: nn.Module) -> bool:
    return any(nn.parameter.is_lazy(tensor) for tensor in (*root.parameters(), *root.buffers()))
