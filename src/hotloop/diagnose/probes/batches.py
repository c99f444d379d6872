"""Loaders that do not batch, and whose data set yields one sample at a time."""

from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_leaves
from torch.utils.data import DataLoader

from hotloop.diagnose.call_sites import SourceLine
from hotloop.diagnose.module_hooks import hook_inputs
from hotloop.diagnose.phase_times import PhaseTimes
from hotloop.diagnose.probe import Probe, ProbeReport
from hotloop.diagnose.step_window import StepWindow
from hotloop.diagnose.trace_context import TraceContext, listening
from hotloop.finding import Finding

_LONG_WAIT = 0.1
_NEARLY_ALL = 0.9
_FEWEST = 3

Shape = tuple[int, ...]


def is_single(shapes: Sequence[Shape], model_input: Shape | None) -> bool:
    """Whether what a loader yielded, in tensors and numbers of these shapes, is one sample and no batch.

    `model_input` is the shape of the first tensor that a model was then called with. It is one sample where every shape
    begins with 1 or is that of a number; where the program itself puts a batch dimension of 1 in front; where the model
    gets a vector as it came, and all that came beside it are numbers (a label). In all other cases it may be a batch.
    """
    if not shapes:
        return False
    if all(not shape or shape[0] == 1 for shape in shapes):
        return True
    if model_input is None:
        return False
    if any((1, *shape) == model_input for shape in shapes):
        return True
    wide = [shape for shape in shapes if shape]
    return len(wide) == 1 < len(shapes) and wide[0] == model_input and len(model_input) == 1


@dataclass(kw_only=True)
class _LoaderCounts:
    """Batches that one loader yielded, and how many of them were one sample."""

    line: SourceLine
    batches: int = 0
    single: int = 0


class BatchProbe(Probe):
    """Looks at what loaders without a batch size yield, and at what a model is called with next."""

    name = "batches"
    window = StepWindow(order=50, steps=10, most=0.05)

    def __init__(self, context: TraceContext) -> None:
        super().__init__(context)
        self._current: tuple[_LoaderCounts, list[Shape]] | None = None
        self._counts: dict[int, _LoaderCounts] = {}

    def is_wanted(self) -> bool:
        """Where steps wait for a loader that does not batch."""
        waiting = self.context.times.shares.get("data_wait", 0.0)
        return waiting >= _LONG_WAIT and any(_is_unbatched(loader) for _, loader in self.context.loaders)

    @contextmanager
    def active(self) -> Generator[None]:
        """Look at each batch, and at each call of a root."""
        with ExitStack() as stack:
            stack.enter_context(listening(self.context.on_batch, self._batch))
            for root in self.context.roots:
                stack.callback(hook_inputs(root, self._called))
            yield
        self._count(None)

    def report(self, times: PhaseTimes) -> ProbeReport:
        """A finding for each loader nearly all of whose batches were one sample."""
        counts = self._counts.values()
        single = [each for each in counts if each.batches >= _FEWEST and each.single >= _NEARLY_ALL * each.batches]
        return ProbeReport(
            findings=[self._finding(each, times) for each in single],
            data={"batches": sum(each.batches for each in counts), "single": sum(each.single for each in counts)},
        )

    def _finding(self, counts: _LoaderCounts, times: PhaseTimes) -> Finding:
        """Its share is the wait; what a batch wins is limited by its size alone, which is the user's to choose."""
        waiting = times.shares.get("data_wait", 0.0)
        return Finding(
            code="DA08",
            path=counts.line.path,
            line=counts.line.line,
            per_step=counts.batches / self.steps if self.steps else None,
            share=waiting,
            cure="give the loader a batch size, or yield whole batches from the data set",
            message=(
                f"{counts.single} of {counts.batches} batches hold one sample, and a step waits {waiting:.0%} of its "
                "time for it; batches of B samples bring at most B times the throughput"
            ),
            evidence={"batch": 1, "batches": counts.batches, "wait_share": waiting},
        )

    def _batch(self, iterator: Any, batch: Any) -> None:
        self._count(None)
        found = next((each for each in self.context.loaders_of(iterator) if _is_unbatched(each[1])), None)
        if found is not None:
            line, loader = found
            counts = self._counts.setdefault(id(loader), _LoaderCounts(line=line))
            leaves = [leaf for leaf in tree_leaves(batch) if isinstance(leaf, (Tensor, int, float))]
            numbers = [leaf for leaf in leaves if not isinstance(leaf, bool)]
            self._current = (counts, [tuple(leaf.shape) if isinstance(leaf, Tensor) else () for leaf in numbers])

    def _called(self, args: Any, kwargs: Any) -> None:
        tensor = next((value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)), None)
        if tensor is not None:
            self._count(tuple(tensor.shape))

    def _count(self, model_input: Shape | None) -> None:
        if self._current is not None:
            counts, shapes = self._current
            counts.batches += 1
            counts.single += is_single(shapes, model_input)
            self._current = None


def _is_unbatched(loader: DataLoader[Any]) -> bool:
    return loader.batch_sampler is None
