"""Step counters of optimizers that one graph takes for equal, and who has stepped each optimizer last."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook

from hotloop.compile.guards import step_sharing


class StepCounters:
    """Knows which graph has stepped an optimizer last; after any other step the counters must be compared anew.

    A plain step leaves out parameters without a gradient, whose counters then fall behind those of the others.
    """

    def __init__(self) -> None:
        self._last: WeakKeyDictionary[Optimizer, object] = WeakKeyDictionary()

    @contextmanager
    def followed(self) -> Generator[None]:
        """Notice plain steps while inside."""
        handle = register_optimizer_step_post_hook(self._plain_step)
        try:
            yield
        finally:
            handle.remove()

    def are_shared(self, optimizer: Optimizer, graph: object, sharing: tuple[int, ...]) -> bool:
        """Whether counters are equal where `sharing` says so; compared only where another than `graph` has stepped."""
        return self._last.get(optimizer) is graph or counters_of(optimizer) == sharing

    def stepped(self, optimizer: Optimizer, graph: object) -> None:
        """`graph` has made a step, and has advanced all counters that it shares."""
        self._last[optimizer] = graph

    def _plain_step(self, optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        self._last.pop(optimizer, None)


def counters_of(optimizer: Optimizer) -> tuple[int, ...]:
    """For each parameter with a step counter, the first one whose counter is equal."""
    state = optimizer.state
    return step_sharing([state[p] for group in optimizer.param_groups for p in group["params"] if p in state])


step_counters = StepCounters()
