"""Loaders that do not batch, and whose data set yields one sample at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_leaves
from torch.utils.data import DataLoader

from hotloop.diagnose.call_sites import Place
from hotloop.diagnose.module_hooks import seeing
from hotloop.diagnose.probes.phases import Phases
from hotloop.diagnose.trace_context import Report, Scene, StepTime
from hotloop.finding import Finding

_SIZEABLE = 0.1
_NEARLY_ALL = 0.9
_FEWEST = 3

Shape = tuple[int, ...]


def is_single(shapes: Sequence[Shape], seen: Shape | None) -> bool:
    """Whether what a loader yielded, in tensors and numbers of these shapes, is one sample and no batch.

    `seen` is the shape of the first tensor that a model was then called with. It is one sample where every shape begins
    with 1 or is that of a number; where the program itself puts a batch dimension of 1 in front; where the model gets a
    vector as it came, and all that came beside it are numbers (a label). In all other cases it may be a batch.
    """
    if not shapes:
        return False
    if all(not shape or shape[0] == 1 for shape in shapes):
        return True
    if seen is None:
        return False
    if any((1, *shape) == seen for shape in shapes):
        return True
    wide = [shape for shape in shapes if shape]
    return len(wide) == 1 < len(shapes) and wide[0] == seen and len(seen) == 1


@dataclass(kw_only=True)
class _Yielded:
    """What one loader yielded, and how much of it was one sample."""

    batches: int = 0
    single: int = 0


class Batches:
    """Looks at what loaders without a batch size yield, and at what a model is called with next."""

    name = "batches"

    def __init__(self, scene: Scene, phases: Phases) -> None:
        self._scene = scene
        self._phases = phases
        self._removals: list[Callable[[], None]] = []
        self._current: tuple[int, list[Shape]] | None = None
        self._yielded: dict[int, _Yielded] = {}
        self._steps = 0

    def is_wanted(self) -> bool:
        """Where steps wait for a loader that does not batch."""
        waiting = self._phases.split.shares.get("data_wait", 0.0)
        return waiting >= _SIZEABLE and any(_is_unbatched(loader) for _, loader in self._phases.loaders)

    def open(self) -> None:
        """Look at each batch, and at each call of a root."""
        self._scene.yielded.append(self._batch)
        self._removals = [seeing(root, self._called) for root in self._scene.roots]

    def step(self) -> None:
        """Another step begins."""
        self._steps += 1

    def close(self) -> None:
        """Look no more."""
        self._settle(None)
        self._scene.yielded.remove(self._batch)
        for remove in self._removals:
            remove()

    def report(self, step: StepTime) -> Report:
        """A finding for each loader nearly all of whose batches were one sample."""
        findings = [
            self._finding(place, self._yielded[index], step)
            for index, (place, _) in enumerate(self._phases.loaders)
            if index in self._yielded and _are_single(self._yielded[index])
        ]
        data = {"batches": sum(y.batches for y in self._yielded.values())}
        return Report(findings=findings, data={**data, "single": sum(y.single for y in self._yielded.values())})

    def _finding(self, place: Place, yielded: _Yielded, step: StepTime) -> Finding:
        """Its share is the wait; what a batch wins is bounded by its size alone, which is the user's to choose."""
        waiting = step.shares.get("data_wait", 0.0)
        return Finding(
            code="DA08",
            path=place.path,
            line=place.line,
            per_step=yielded.batches / self._steps if self._steps else None,
            share=waiting,
            cure="give the loader a batch size, or yield whole batches from the data set",
            message=(
                f"{yielded.single} of {yielded.batches} batches hold one sample, and a step waits {waiting:.0%} of its "
                "time for it; batches of B samples bring at most B times the throughput"
            ),
            evidence={"batch": 1, "batches": yielded.batches, "wait_share": waiting},
        )

    def _batch(self, iterator: Any, batch: Any) -> None:
        self._settle(None)
        index = self._index_of(iterator)
        if index is not None:
            self._current = (index, [shape for shape in map(_shape, tree_leaves(batch)) if shape is not None])

    def _called(self, given: Any) -> None:
        tensor = next((value for value in tree_leaves(given) if isinstance(value, Tensor)), None)
        if tensor is not None:
            self._settle(tuple(tensor.shape))

    def _settle(self, seen: Shape | None) -> None:
        if self._current is None:
            return
        index, shapes = self._current
        yielded = self._yielded.setdefault(index, _Yielded())
        yielded.batches += 1
        yielded.single += is_single(shapes, seen)
        self._current = None

    def _index_of(self, iterator: Any) -> int | None:
        """The loader without a batch size that this iterator draws from; they share its data set."""
        for index, (_, loader) in enumerate(self._phases.loaders):
            if loader.dataset is getattr(iterator, "_dataset", None) and _is_unbatched(loader):
                return index
        return None


def _is_unbatched(loader: DataLoader[Any]) -> bool:
    return loader.batch_sampler is None


def _are_single(yielded: _Yielded) -> bool:
    return yielded.batches >= _FEWEST and yielded.single >= _NEARLY_ALL * yielded.batches


def _shape(leaf: Any) -> Shape | None:
    if isinstance(leaf, Tensor):
        return tuple(leaf.shape)
    return () if isinstance(leaf, (int, float)) and not isinstance(leaf, bool) else None
