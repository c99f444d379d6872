"""Several microbatches as one batch of the training loop: their gradients make one step."""

from collections.abc import Iterator
from itertools import islice
from math import ceil
from typing import Any, Protocol


class Microbatches(tuple[Any, ...]):
    """The batches of one step, differentiated one after the other."""

    __slots__ = ()


class _Batches(Protocol):
    def __len__(self) -> int: ...

    def skip(self, epochs: int) -> None: ...

    def __iter__(self) -> Iterator[Any]: ...


class GroupedBatches:
    """`each` of the batches at a time as `Microbatches`; the last ones of an epoch may be fewer."""

    def __init__(self, batches: _Batches, each: int) -> None:
        self._batches, self._each = batches, each

    def __len__(self) -> int:
        return ceil(len(self._batches) / self._each)

    def skip(self, epochs: int) -> None:
        """Leave out the draws of so many epochs."""
        self._batches.skip(epochs)

    def __iter__(self) -> Iterator[Microbatches]:
        batches = iter(self._batches)
        while group := Microbatches(islice(batches, self._each)):
            yield group
